"""The page Unknowns: clusters as small cards, the decided ones folded away, the map, and all photos of one cluster."""

from __future__ import annotations

import streamlit as st

from meter_pipeline.dashboard import charts
from meter_pipeline.dashboard.browsing import clusters as browsing
from meter_pipeline.dashboard.browsing import corrections
from meter_pipeline.dashboard.browsing.clusters import ClusterCard, ClusterMember, UnknownMap
from meter_pipeline.dashboard.context import Fingerprint, Now
from meter_pipeline.dashboard.paging import choose_page
from meter_pipeline.dashboard.pictures import card, montage_width, show_montage, show_strip, show_thumbnail
from meter_pipeline.dashboard.text import NOISE_PHOTOS, percent, plain
from meter_pipeline.dataset.labelled_folder import listing_digest
from meter_pipeline.labels import counted

CARDS_PER_PAGE = 24
PAGE_SIZE = 40
EXAMPLE_SIDES = (40, 120, 60)
"""Pixels of an example photo: smallest, largest, at first. At first four cards stand beside the menu on a laptop."""
CARD_FRAME = 15
"""Pixels of a card beside its photos."""
ALL = "All clusters"
REVIEW = "review"
"""The page where clusters are decided on, by its address."""
COMPACT = """<style>
[data-testid="stMainBlockContainer"] { padding: 3.9rem 1.5rem 2rem; gap: 0.4rem; }
[data-testid="stMainBlockContainer"] h1 { font-size: 1.6rem; padding: 0; }
[class*="st-key-cluster_card"] { padding: 0.4rem; gap: 0.2rem; }
[class*="st-key-cluster_card"] [data-testid="stMarkdownContainer"],
[class*="st-key-cluster_card"] [data-testid="stCaptionContainer"] { margin: 0; }
[class*="st-key-cluster_card"] p { font-size: 0.82rem; line-height: 1.25; margin: 0; overflow-wrap: anywhere; }
[class*="st-key-cluster_card"] button,
[class*="st-key-cluster_card"] a { min-height: 1.5rem; height: 1.5rem; padding: 0 0.2rem; margin: 0; }
[class*="st-key-cluster_card"] [data-testid="stPageLink"] > div { margin: 0; line-height: 1.25; }
[class*="st-key-cluster_card"] > :last-child { margin-top: auto; }
</style>"""
"""Less white space than Streamlit leaves: what counts here is how many photos one sees at a time."""


def show(now: Now) -> None:
    """Draw the page."""
    st.html(COMPACT)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.title("Unknowns", anchor=False, width="content")
        place = st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="right")
    decided = _decided(now, listing_digest(now.layout.decisions))
    cards = _cards(now, now.fingerprint(*browsing.TABLES), decided)
    if not cards:
        now.show_age("unknown_clusters", "cluster_summary")
        st.info(
            "No UNKNOWN photos yet. They come from the drops: put a spreadsheet of photo URLs into the folder "
            f"`{now.layout.drops}`.",
            icon=":material/folder_open:",
        )
        return
    names = {cluster.name: cluster for cluster in cards}
    with place:
        chosen = st.selectbox(
            "Cluster", [ALL, *names], key="cluster", bind="query-params", width=220, label_visibility="collapsed"
        )
        side = _choose_side() if chosen == ALL else 0
    if chosen == ALL:
        _show_all(now, cards, side)
    else:
        _show_cluster(now, names[chosen], decided)


def _choose_side() -> int:
    smallest, largest, at_first = EXAMPLE_SIDES
    st.caption("Size of the photos", width="content")
    return st.slider(
        "Size of the photos",
        smallest,
        largest,
        at_first,
        step=2,
        key="example_side",
        label_visibility="collapsed",
        persist_state="session",
        width=160,
    )


def _show_all(now: Now, cards: list[ClusterCard], side: int) -> None:
    waiting = [cluster for cluster in cards if not cluster.is_noise and not cluster.is_decided]
    inside = sum(cluster.photos for cluster in waiting)
    st.caption(
        f"**{counted(inside, 'photo')}** in **{counted(len(waiting), 'cluster')}** of photos that look alike, perhaps "
        "meter types that the model does not know. The surest to show one type come first, probable junk last."
    )
    page = choose_page(len(waiting), CARDS_PER_PAGE, "clusters_page")
    with st.container(horizontal=True, gap="xsmall"):
        for cluster in waiting[page * CARDS_PER_PAGE : (page + 1) * CARDS_PER_PAGE]:
            _show_card(now, cluster, side)
    for noise in (cluster for cluster in cards if cluster.is_noise and not cluster.is_decided):
        st.subheader("Noise", anchor=False)
        st.caption(NOISE_PHOTOS)
        _show_card(now, noise, side)
    _show_decided(now, [cluster for cluster in cards if cluster.is_decided], side)
    st.subheader("Map", anchor=False)
    _show_map(now)
    now.show_age("unknown_clusters", "cluster_summary")


def _show_decided(now: Now, cards: list[ClusterCard], side: int) -> None:
    """Draw what is done, folded away; the next clustering leaves these photos out."""
    if not cards:
        return
    with st.expander(counted(len(cards), "decided cluster")), st.container(horizontal=True, gap="xsmall"):
        for cluster in cards:
            _show_card(now, cluster, side)


def _show_card(now: Now, cluster: ClusterCard, side: int) -> None:
    """Draw a cluster's card: what it is, some of its photos, and where to go from it."""
    with card(montage_width(side) + CARD_FRAME, key=f"cluster_card_{cluster.cluster_id}"):
        st.markdown(f"**{cluster.name.capitalize()}**: {_size(cluster)}")
        show_montage(now.layout, cluster.examples, f"Photos of {cluster.name}", side=side)
        st.caption(_decided_as(cluster) if cluster.is_decided else _in_short(cluster))
        with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
            st.button(
                f"Open {cluster.name}",
                key=f"open_{cluster.cluster_id}",
                on_click=_choose,
                args=(cluster.name,),
                type="tertiary",
            )
            if not cluster.is_decided:
                _review_link(cluster)


def _review_link(cluster: ClusterCard) -> None:
    """Draw the way to the page Review, at this cluster. Streamlit knows a page by its address alone."""
    review = st.Page(_nothing, title="Review", url_path=REVIEW)
    st.page_link(
        review,
        label="Review",
        icon=":material/rate_review:",
        query_params={"group": str(cluster.cluster_id)},  # `cluster` is the choice on this page, and leaves with it
        help=f"Decide on {cluster.name}",
        width="content",
    )


def _nothing() -> None:
    """Stand for a page that is drawn elsewhere."""


def _in_short(cluster: ClusterCard) -> str:
    facts = [] if cluster.sureness is None else [f"{percent(cluster.sureness, 0)} sure one type"]
    facts += [f"{percent(like.first, 0)} like {like.label}" for like in cluster.likenesses[:1]]
    return plain(" · ".join(facts) or "The model has no guess.")


def _decided_as(cluster: ClusterCard) -> str:
    return plain(", ".join(f"{counted(number, 'photo')} as {said}" for said, number in cluster.decided.items()))


def _size(cluster: ClusterCard) -> str:
    meters = f", {counted(cluster.meters, 'meter')}" if cluster.meters < cluster.photos else ""
    junk = ", probably junk" if cluster.hardly_meters else ""
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


def _show_cluster(now: Now, cluster: ClusterCard, decided: dict[str, str]) -> None:
    """Draw one cluster with all its photos that wait for a decision."""
    members = _members(now, now.fingerprint(*browsing.TABLES), cluster.cluster_id, decided)
    st.markdown(f"**{_size(cluster)}**. {_one_design(cluster)}{_likeness(cluster)}")
    if cluster.decided:
        left_out = "" if cluster.is_decided else " They are not shown here any more."
        st.caption(f"Decided already: {_decided_as(cluster)}.{left_out}")
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button("Back to all clusters", on_click=_choose, args=(ALL,), icon=":material/arrow_back:")
        if not cluster.is_decided:
            _review_link(cluster)
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


@st.cache_data(max_entries=2, show_spinner=False)
def _decided(_now: Now, key: str) -> dict[str, str]:  # noqa: ARG001
    return corrections.decided_photos(_now.layout)


@st.cache_data(max_entries=4, show_spinner=False)
def _cards(_now: Now, key: Fingerprint, decided: dict[str, str]) -> list[ClusterCard]:  # noqa: ARG001
    return browsing.list_clusters(_now.layout, decided=decided)


@st.cache_data(max_entries=8, show_spinner=False)
def _members(
    _now: Now,
    key: Fingerprint,  # noqa: ARG001
    cluster_id: int,
    decided: dict[str, str],
) -> list[ClusterMember]:
    return browsing.open_cluster(_now.layout, cluster_id, decided=decided)


@st.cache_data(max_entries=2, show_spinner=False)
def _map(_now: Now, key: Fingerprint) -> UnknownMap:  # noqa: ARG001
    return browsing.read_map(_now.layout)
