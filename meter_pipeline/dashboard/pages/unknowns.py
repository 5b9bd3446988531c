"""The page Unknowns: a card for each cluster, noise apart, the map, and all photos of one cluster."""

from __future__ import annotations

import streamlit as st

from meter_pipeline.dashboard import charts
from meter_pipeline.dashboard.browsing import clusters as browsing
from meter_pipeline.dashboard.browsing.clusters import ClusterCard, ClusterMember, UnknownMap
from meter_pipeline.dashboard.context import Fingerprint, Now
from meter_pipeline.dashboard.paging import choose_page
from meter_pipeline.dashboard.pictures import card, show_strip, show_thumbnail
from meter_pipeline.dashboard.text import NOISE_PHOTOS, percent, plain
from meter_pipeline.labels import counted

CARDS_PER_PAGE = 24
PAGE_SIZE = 40
EXAMPLE_WIDTH = 92
CLUSTER_WIDTH = 314
"""Pixels of a cluster's card: three examples side by side, three cards beside the menu on a laptop."""
ALL = "All clusters"


def show(now: Now) -> None:
    """Draw the page."""
    st.title("Unknowns")
    now.show_age("unknown_clusters", "cluster_summary")
    cards = _cards(now, now.fingerprint(*browsing.TABLES))
    if not cards:
        st.info(
            "No UNKNOWN photos yet. They come from the drops: put a spreadsheet of photo URLs into the folder "
            f"`{now.layout.drops}`.",
            icon=":material/folder_open:",
        )
        return
    names = {cluster.name: cluster for cluster in cards}
    chosen = st.selectbox("Cluster", [ALL, *names], key="cluster", bind="query-params", width=420)
    if chosen == ALL:
        _show_all(now, cards)
    else:
        _show_cluster(now, names[chosen])


def _show_all(now: Now, cards: list[ClusterCard]) -> None:
    clusters = [cluster for cluster in cards if not cluster.is_noise]
    inside = sum(cluster.photos for cluster in clusters)
    st.markdown(f"**{counted(inside, 'photo')}** in **{counted(len(clusters), 'cluster')}**")
    st.caption(
        "A cluster is a group of UNKNOWN photos that look alike, perhaps a meter type that the model does not know. "
        "The surest to show one type come first, those that are probably not meters last."
    )
    page = choose_page(len(clusters), CARDS_PER_PAGE, "clusters_page")
    with st.container(horizontal=True):
        for cluster in clusters[page * CARDS_PER_PAGE : (page + 1) * CARDS_PER_PAGE]:
            _show_card(now, cluster)
    for noise in (cluster for cluster in cards if cluster.is_noise):
        st.subheader("Noise")
        st.caption(NOISE_PHOTOS)
        _show_card(now, noise)
    st.subheader("Map")
    _show_map(now)


def _show_card(now: Now, cluster: ClusterCard) -> None:
    """Draw a cluster's card; actions on the cluster have their place beside the button that opens it."""
    with card(CLUSTER_WIDTH):
        st.markdown(f"**{cluster.name.capitalize()}**: {_size(cluster)}")
        photos = [(image_id, now.layout.image(image_id), f"Photo of {cluster.name}") for image_id in cluster.examples]
        show_strip(now.layout, photos, width=EXAMPLE_WIDTH)
        st.caption(_one_design(cluster) + _likeness(cluster))
        with st.container(horizontal=True):
            st.button(f"Open {cluster.name}", key=f"open_{cluster.cluster_id}", on_click=_choose, args=(cluster.name,))


def _size(cluster: ClusterCard) -> str:
    meters = f" of {counted(cluster.meters, 'meter')}" if cluster.meters < cluster.photos else ""
    junk = ", probably not meters" if cluster.hardly_meters else ""
    return f"{counted(cluster.photos, 'photo')}{meters}{junk}"


def _one_design(cluster: ClusterCard) -> str:
    return "" if cluster.sureness is None else f"One type: {percent(cluster.sureness, 0)} sure. "


def _likeness(cluster: ClusterCard) -> str:
    if not cluster.likenesses:
        return "The model has no guess."
    first, *others = cluster.likenesses
    words = (
        f"Mostly looks like {first.label}: the best guess for {percent(first.first, 0)} of the photos, among the three "
        f"best for {percent(first.among_three, 0)}"
    )
    return plain(words + "".join(f"; then {other.label}, {percent(other.among_three, 0)}" for other in others[:1]))


def _choose(name: str) -> None:
    st.session_state["cluster"] = name


def _show_cluster(now: Now, cluster: ClusterCard) -> None:
    """Draw one cluster with all its photos; actions on the cluster have their place above the photos."""
    members = _members(now, now.fingerprint(*browsing.TABLES), cluster.cluster_id)
    st.markdown(f"**{_size(cluster)}**. {_one_design(cluster)}{_likeness(cluster)}")
    with st.container(horizontal=True):
        st.button("Back to all clusters", on_click=_choose, args=(ALL,), icon=":material/arrow_back:")
    folded = sum(len(member.others) for member in members)
    words = "Below each photo: the model's best guess and its confidence."
    if folded:
        words = (
            f"Each meter is shown once; the buttons open {counted(folded, 'more photo')} of the same meters. {words}"
        )
    st.caption(words)
    page = choose_page(len(members), PAGE_SIZE, f"cluster_page_{cluster.cluster_id}")
    with st.container(horizontal=True):
        for member in members[page * PAGE_SIZE : (page + 1) * PAGE_SIZE]:
            _member_card(now, member)


def _member_card(now: Now, member: ClusterMember) -> None:
    with card():
        guess = f"{member.top3[0][0]} {percent(member.top3[0][1], 0)}" if member.top3 else "no guess"
        show_thumbnail(
            now.layout, member.image_id, now.layout.image(member.image_id), f"UNKNOWN photo, best guess {guess}"
        )
        st.caption(plain(guess))
        if member.others:
            with st.popover(f"{counted(len(member.others), 'more photo')} of this meter", width="stretch"):
                show_strip(now.layout, [(i, now.layout.image(i), "The same meter") for i in member.others])


def _show_map(now: Now) -> None:
    found = _map(now, now.fingerprint(*browsing.TABLES))
    if not found.points:
        st.caption("There is no map of these photos yet. It is made after the clusters, as the asset `unknown_map`.")
        return
    if found.is_older:
        missing = f"; not on it yet: {counted(found.without_place, 'photo')}" if found.without_place else ""
        st.caption(f"The map is older than the clusters, and is made again after them{missing}.")
    marked = charts.show_map(found.points)
    if marked:
        show_strip(now.layout, [(i, now.layout.image(i), "Photo marked on the map") for i in marked[:PAGE_SIZE]])
    else:
        st.caption(
            "Photos that look alike lie near each other. Click a point to see its photo; hold Shift for several."
        )


@st.cache_data(max_entries=4, show_spinner=False)
def _cards(_now: Now, key: Fingerprint) -> list[ClusterCard]:  # noqa: ARG001
    return browsing.list_clusters(_now.layout)


@st.cache_data(max_entries=8, show_spinner=False)
def _members(_now: Now, key: Fingerprint, cluster_id: int) -> list[ClusterMember]:  # noqa: ARG001
    return browsing.open_cluster(_now.layout, cluster_id)


@st.cache_data(max_entries=2, show_spinner=False)
def _map(_now: Now, key: Fingerprint) -> UnknownMap:  # noqa: ARG001
    return browsing.read_map(_now.layout)
