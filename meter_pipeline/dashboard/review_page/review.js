// The Review page: groups of UNKNOWN photos, named by keys. Selection and order live here; only decisions travel.
// Text from sheets, classes and people goes in by textContent only.

const THUMBNAIL = 320;
const LARGE = 1024;
const LOOK_ALIKES = 20;
const SEEDS = 500;
const AUDIT_EVERY = 20;
const AT_THE_END = 3;
const RECENT = 8;
const RETRY_MS = 2000;
const LOOK_FOR_CHANGES_MS = 5000;

export default function (component) {
  const { data, parentElement } = component;
  const root = parentElement.querySelector("#review");
  // Where the page cannot fetch the new token of a server that was started again, Streamlit brings it when asked.
  const askForToken = () => component.setTriggerValue("again", Date.now());
  if (root.review) {
    root.review.askForToken = askForToken;
    root.review.receive(data);
    return root.review.leave;
  }
  root.review = new Review(root, data);
  root.review.askForToken = askForToken;
  root.review.start();
  return root.review.leave;
}

// ---------------------------------------------------------------- small things

function el(tag, props = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (name === "on") for (const [event, handler] of Object.entries(value)) node.addEventListener(event, handler);
    else if (name === "class") node.className = value;
    else if (name in node && name !== "list") node[name] = value;
    else if (value !== null && value !== undefined && value !== false) node.setAttribute(name, value);
  }
  for (const child of children.flat()) if (child !== null && child !== undefined) node.append(child);
  return node;
}

function counted(number, noun, plural) {
  return `${number.toLocaleString("en")} ${number === 1 ? noun : plural || noun + "s"}`;
}

function place(cluster) {
  return cluster < 0 ? "noise" : `group/${cluster}`;
}

function uuid7() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  let now = Date.now();
  for (let i = 5; i >= 0; i--) {
    bytes[i] = now % 256;
    now = Math.floor(now / 256);
  }
  bytes[6] = (bytes[6] & 0x0f) | 0x70;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}

function kept(name, otherwise) {
  try {
    return JSON.parse(sessionStorage.getItem(`meter.review.${name}`)) ?? otherwise;
  } catch {
    return otherwise;
  }
}

function keep(name, value) {
  try {
    sessionStorage.setItem(`meter.review.${name}`, JSON.stringify(value));
  } catch {
    // Without storage the page works as well; a reload then forgets what was not sent yet.
  }
}

// ---------------------------------------------------------------- the page

class Review {
  constructor(root, data) {
    this.root = root;
    this.data = data;
    this.overview = null;
    this.view = "overview"; // overview, group, grow, audit
    this.queue = []; // groups still to be looked at: {cluster_id} or {photos} that a split made
    this.group = null;
    this.marked = new Set(); // photos in a group, clusters in the overview
    this.out = new Set();
    this.cursor = 0;
    this.anchor = null;
    this.dialog = null;
    this.overlay = null;
    this.notices = [];
    this.visit = kept("visit", { started: Date.now(), decisions: 0, photos: 0, done: [], undone: [], again: [], asked: 0, differently: 0 });
    this.outbox = kept("outbox", []);
    this.size = kept("size", window.innerWidth < 1250 ? 104 : 118);
    this.prefetched = new Map();
    this.leave = () => this.close();
    this.onKey = (event) => this.key(event);
    // Streamlit has keys of its own on the document: ours are taken before they get there.
    document.addEventListener("keydown", this.onKey, true);
    this.timer = setInterval(() => this.lookForChanges(), LOOK_FOR_CHANGES_MS);
  }

  close() {
    document.removeEventListener("keydown", this.onKey, true);
    clearInterval(this.timer);
    delete this.root.review;
  }

  receive(data) {
    const is_new = data.token !== this.data.token;
    this.data = data;
    if (is_new) {
      this.letIn();
      this.focus();
    }
  }

  letIn() {
    this.dismiss("error"); // the dashboard was started again: what it had not stored is sent now
    this.root.querySelectorAll(".lost").forEach((words) => words.dataset.src && words.replaceWith(this.image(words.dataset.src, "Photo")));
    this.send();
  }

  async start() {
    this.root.replaceChildren(el("p", { class: "quiet" }, "Reading the clusters ..."));
    await this.send();
    await this.readOverview();
    this.showOverview();
    if (this.data.cluster !== null && this.data.cluster !== undefined) await this.open({ cluster_id: this.data.cluster });
  }

  // ------------------------------------------------------------ talking to the server

  async ask(path, body) {
    const headers = { "X-Meter-Token": this.data.token };
    const options = { headers, credentials: "same-origin" };
    if (body !== undefined) {
      headers["Content-Type"] = "application/json";
      Object.assign(options, { method: "POST", body: JSON.stringify(body) });
    }
    const response = await fetch(`${this.data.base}/review/${path}`, options);
    if (response.status === 403 && Date.now() - (this.asked403 ?? 0) > RETRY_MS) {
      this.asked403 = Date.now();
      this.fetchToken();
    }
    let answer;
    try {
      answer = await response.json();
    } catch {
      // Also a 200 that was cut short, as when the dashboard is killed while it answers: it says nothing of what was done.
      throw Object.assign(new Error(`The server answered ${response.status}, and not whole.`), { status: response.ok ? 0 : response.status });
    }
    if (!response.ok) throw Object.assign(new Error(answer.error || `The server answered ${response.status}.`), { status: response.status });
    return answer;
  }

  async fetchToken() {
    try {
      const { token } = await (await fetch(`${this.data.base}/review/token`, { credentials: "same-origin" })).json();
      if (!token) throw new Error("no token");
      this.data = { ...this.data, token };
      await this.sending;
      this.letIn();
    } catch {
      this.askForToken(); // as where a password has to be given first
    }
  }

  picture(id, side = THUMBNAIL) {
    return `${this.data.base}/review/thumbnail/${id}?side=${side}&t=${encodeURIComponent(this.data.token)}`;
  }

  async readOverview() {
    try {
      this.overview = await this.ask("overview");
      this.since = { photos: 0 };
      this.fingerprint = this.overview.fingerprint;
    } catch (error) {
      this.say(error.message, "error");
    }
  }

  async lookForChanges() {
    if (document.hidden) return;
    try {
      const { fingerprint } = await this.ask("fingerprint");
      if (fingerprint === this.fingerprint) return;
      this.fingerprint = fingerprint;
      this.prefetched.clear();
      await this.readOverview();
      if (this.view === "overview" && !this.dialog) this.showOverview();
      if (this.view === "group" && this.group && this.group.cluster_id !== null) await this.compareGroup();
    } catch {
      // The next look tells whether the server is back.
    }
  }

  async compareGroup() {
    const shown = this.group;
    let now;
    try {
      now = await this.ask(place(shown.cluster_id));
    } catch (error) {
      if (error.status !== 409) return; // the group is gone
      now = { photos: [] };
    }
    if (this.group !== shown) return;
    const before = shown.cameWith;
    const after = new Set(now.photos.map((photo) => photo.id));
    const left = [...before].filter((id) => !after.has(id) && !shown.taken.has(id)).length;
    const came = [...after].filter((id) => !before.has(id)).length;
    if (!left && !came) return;
    const words = [left && `${counted(left, "photo")} left`, came && `${came} came`].filter(Boolean).join(", ");
    this.say(`This group was made anew or decided on elsewhere: ${words}.`, "info", "Show it as it is now", () => this.open({ cluster_id: shown.cluster_id }));
  }

  post(decisions) {
    // What is not acknowledged stays in the outbox, also over a reload, and is sent again with the same ids.
    this.outbox.push(...decisions);
    keep("outbox", this.outbox);
    this.send();
  }

  async send() {
    if (this.sending || !this.outbox.length) return this.sending;
    this.sending = (async () => {
      while (this.outbox.length) {
        const batch = this.outbox.filter((d) => d.replace === this.outbox[0].replace).slice(0, 20);
        let answer;
        try {
          answer = await this.ask("decisions", { decisions: batch, by: this.data.by, replace: batch[0].replace });
        } catch (error) {
          this.say(`${counted(this.outbox.length, "decision")} not stored yet: ${error.message} They are kept here and sent again.`, "error");
          if (error.status === 403) break;
          await new Promise((done) => setTimeout(done, RETRY_MS));
          continue;
        }
        this.dismiss("error");
        const ids = new Set(batch.map((d) => d.decision_id));
        this.outbox = this.outbox.filter((d) => !ids.has(d.decision_id));
        keep("outbox", this.outbox);
        this.forget(answer.done.filter((each) => !each.image_ids.length).map((each) => each.decision_id));
        this.refused(answer.refused, batch);
        if (answer.fingerprint) this.fingerprint = answer.fingerprint;
        this.count();
      }
    })();
    try {
      await this.sending;
    } finally {
      this.sending = null;
    }
  }

  refused(refused, batch) {
    const by = new Map();
    for (const each of refused) {
      const key = `${each.decision_id} ${each.reason}`;
      if (!by.has(key)) by.set(key, { ...each, ids: [] });
      if (each.image_id) by.get(key).ids.push(each.image_id);
    }
    for (const each of by.values()) {
      const said = batch.find((d) => d.decision_id === each.decision_id);
      if (!each.ids.length) {
        this.forget([each.decision_id]);
        this.say(each.reason, "error");
        continue;
      }
      this.say(each.reason, "warning", "Replace it", () => {
        this.decide(said.action, each.ids, { target: said.target, cluster_id: said.cluster_id, replace: true });
      });
    }
  }

  // `with_last`: one key made this and the decision before, and one key takes both back.
  decide(action, ids, { target = null, cluster_id = null, replace = false, with_last = false } = {}) {
    const photos = new Map((this.group ? this.group.photos : []).map((photo) => [photo.id, photo]));
    const last = Object.fromEntries(ids.map((id) => [id, photos.get(id)?.last ?? null]));
    const decision = { decision_id: uuid7(), action, image_ids: ids, target, cluster_id, last, replace };
    for (const id of ids) if (photos.get(id)) photos.get(id).last = decision.decision_id;
    this.visit.decisions += 1;
    if (action === "name" || action === "junk") this.visit.photos += ids.length;
    const step = with_last ? this.visit.done.pop() ?? { ids: [], cluster_id } : { ids: [], cluster_id: cluster_id ?? this.group?.cluster_id ?? null };
    step.ids.push(decision.decision_id);
    this.visit.done.push(step);
    this.visit.undone = [];
    if (action === "name") this.remember(target);
    if (action === "name" && ids.length >= AUDIT_EVERY / 2) this.lookAgain(ids, target, decision.decision_id);
    keep("visit", this.visit);
    this.post([decision]);
    this.count();
    return decision;
  }

  forget(ids) {
    for (const step of this.visit.done) step.ids = step.ids.filter((id) => !ids.includes(id));
    this.visit.done = this.visit.done.filter((step) => step.ids.length);
    keep("visit", this.visit);
  }

  remember(label) {
    const recent = kept("recent", []).filter((name) => name !== label);
    keep("recent", [label, ...recent].slice(0, RECENT));
  }

  // ------------------------------------------------------------ words at the top

  say(text, kind = "info", action = null, run = null) {
    this.notices = this.notices.filter((notice) => notice.text !== text && !(kind === "error" && notice.kind === "error"));
    this.notices.push({ text, kind, action, run });
    this.showNotices();
  }

  dismiss(kind) {
    this.notices = this.notices.filter((notice) => notice.kind !== kind);
    this.showNotices();
  }

  showNotices() {
    const place = this.root.querySelector(".notices");
    if (!place) return;
    place.replaceChildren(
      ...this.notices.map((notice) =>
        el("div", { class: `notice ${notice.kind}`, role: notice.kind === "error" ? "alert" : "status" }, el("span", {}, notice.text),
          notice.action && el("button", { on: { click: () => { this.drop(notice); notice.run(); } } }, notice.action),
          el("button", { "aria-label": "Close this message", class: "plain", on: { click: () => this.drop(notice) } }, "Close")),
      ),
    );
  }

  drop(notice) {
    this.notices = this.notices.filter((each) => each !== notice);
    this.showNotices();
  }

  count() {
    const place = this.root.querySelector(".counts");
    if (!place || !this.overview) return;
    const minutes = Math.max(1, Math.round((Date.now() - this.visit.started) / 60000));
    const left = Math.max(0, this.overview.left.photos - (this.since?.photos ?? 0));
    const words = [
      `This visit: ${counted(this.visit.decisions, "decision")}, ${counted(this.visit.photos, "photo")}, ${counted(minutes, "minute")}`,
      `left: ${counted(left, "photo")} in ${counted(this.overview.left.groups, "group")}`,
    ];
    if (this.visit.asked) words.push(`looked at again: ${this.visit.asked}, named differently: ${this.visit.differently}`);
    if (this.outbox.length) words.push(`${this.outbox.length} not stored yet`);
    place.textContent = words.join(" · ");
  }

  frame(...children) {
    this.root.replaceChildren(
      el("div", { class: "counts", role: "status", "aria-live": "polite" }),
      el("div", { class: "notices" }),
      ...children,
      el("dialog", { class: "overlay", on: { cancel: (event) => { event.preventDefault(); this.hide(); } } }),
    );
    this.overlay = this.root.querySelector(".overlay");
    this.dialog = null;
    this.count();
    this.showNotices();
  }

  button(word, key, run, { disabled = false, pressed } = {}) {
    return el("button", { class: "act", disabled, title: `${word} (${key})`, "aria-keyshortcuts": key, "aria-pressed": pressed, on: { click: () => { run(); this.focus(); } } },
      word, el("kbd", {}, key));
  }

  sizer() {
    const slider = el("input", { type: "range", min: 84, max: 260, step: 4, value: this.size, "aria-label": "Size of the photos" });
    slider.addEventListener("input", () => {
      this.size = Number(slider.value);
      keep("size", this.size);
      this.root.style.setProperty("--size", `${this.size}px`);
    });
    this.root.style.setProperty("--size", `${this.size}px`);
    return el("label", { class: "sizer" }, "Size", slider);
  }

  focus() {
    const current = this.root.querySelector('.grid [tabindex="0"]');
    if (current && !this.dialog) current.focus({ preventScroll: false });
  }

  // ------------------------------------------------------------ the overview

  showOverview() {
    this.view = "overview";
    this.group = null;
    this.out = new Set();
    if (!this.overview) return this.frame(el("p", {}, "The clusters cannot be read."));
    const { groups, problems, disputed, has_model } = this.overview;
    const here = groups.filter((group) => group.photos);
    this.queue = here.filter((group) => group.cluster_id >= 0).map((group) => ({ cluster_id: group.cluster_id }));
    this.marked = new Set([...this.marked].filter((id) => here.some((group) => group.cluster_id === id)));
    this.cursor = Math.min(this.cursor, Math.max(0, here.length - 1));
    const notes = [];
    if (!has_model) notes.push("There is no model in use yet. Put labelled photos into data/raw and run meter train.");
    if (disputed) notes.push(`${counted(disputed, "photo")} disputed: people named them differently. They are settled by whoever names them next.`);
    notes.push(...problems);
    if (!here.length) {
      return this.frame(...notes.map((note) => el("p", { class: "notice warning" }, note)),
        el("p", { class: "empty" }, "Nothing waits to be named. New UNKNOWN photos come from the drops, and are grouped by meter update."));
    }
    this.frame(
      ...notes.map((note) => el("p", { class: "notice warning" }, note)),
      el("div", { class: "bar" },
        this.button("Open", "Enter", () => this.enterOverview()),
        this.button("Mark", "Space", () => this.mark(this.cursor)),
        this.button("Name the marked", "N", () => this.nameClusters()),
        this.button("Junk the marked", "J", () => this.junkClusters()),
        this.button("Undo", "Ctrl+Z", () => this.undo()),
        this.button("Redo", "Ctrl+Y", () => this.redo()),
        this.button("Help", "?", () => this.help()),
        this.sizer()),
      el("div", { class: "grid cards", role: "listbox", "aria-multiselectable": "true", "aria-label": "Groups, the surest and largest first" },
        here.map((group, index) => this.card(group, index))),
    );
    this.items = here.map((group) => group.cluster_id);
    this.place(this.cursor);
  }

  card(group, index) {
    const name = group.cluster_id < 0 ? "Noise" : `Group ${group.cluster_id}`;
    const sure = group.sureness === null ? "" : `, one type: ${Math.round(group.sureness * 100)}% sure`;
    const meters = group.meters < group.photos ? ` of ${counted(group.meters, "meter")}` : "";
    const first = group.suggestions[0];
    const guess = group.hardly_meters ? "probably not meters" : first ? `near ${first.label}` : group.guess ? `model's guess: ${group.guess}` : "";
    return el("div", { class: "card", role: "option", tabIndex: -1, "aria-selected": this.marked.has(group.cluster_id), "data-index": index,
      on: { click: (event) => this.clickCard(event, index), dblclick: () => this.open({ cluster_id: group.cluster_id }) } },
      el("strong", {}, `${name}: ${counted(group.photos, "photo")}${meters}${sure}`),
      el("div", { class: "strip" }, group.examples.map((id) => el("img", { src: this.picture(id, 192), alt: "", loading: "lazy" }))),
      el("span", { class: "quiet" }, guess));
  }

  clickCard(event, index) {
    this.place(index);
    if (event.ctrlKey || event.metaKey || event.shiftKey) this.mark(index);
  }

  enterOverview() {
    if (this.marked.size) return this.nameClusters();
    if (this.items?.length) this.open({ cluster_id: this.items[this.cursor] });
  }

  async photosOf(clusters) {
    const photos = [];
    for (const id of clusters) photos.push(...(await this.ask(place(id))).photos);
    return photos;
  }

  nameClusters() {
    const clusters = this.marked.size ? [...this.marked] : [this.items[this.cursor]];
    this.palette(`Name ${counted(clusters.length, "group")}`, this.suggestionsOf(clusters), async (label) => {
      await this.sayOfClusters(clusters, "name", label);
    });
  }

  async junkClusters() {
    await this.sayOfClusters(this.marked.size ? [...this.marked] : [this.items[this.cursor]], "junk", null);
  }

  async sayOfClusters(clusters, action, target) {
    try {
      for (const id of clusters) {
        this.group = await this.ask(place(id));
        this.group.taken = new Set();
        this.decide(action, this.group.photos.map((photo) => photo.id), { target, cluster_id: id });
      }
    } catch (error) {
      this.say(error.message, "error");
    }
    this.marked.clear();
    await this.send();
    await this.readOverview();
    this.showOverview();
  }

  suggestionsOf(clusters) {
    const all = this.overview.groups.filter((group) => clusters.includes(group.cluster_id)).flatMap((group) => group.suggestions);
    const best = new Map();
    for (const each of all) if (!best.has(each.label) || best.get(each.label).similarity < each.similarity) best.set(each.label, each);
    return [...best.values()].sort((a, b) => b.similarity - a.similarity).slice(0, 3);
  }

  // ------------------------------------------------------------ one group

  async read(entry) {
    if (entry.photos) return { cluster_id: null, suggestions: [], similar: [], revision: null, sureness: null, ...entry };
    const key = entry.cluster_id;
    if (!this.prefetched.has(key)) this.prefetched.set(key, this.ask(place(key)));
    try {
      return await this.prefetched.get(key);
    } finally {
      this.prefetched.delete(key);
    }
  }

  prefetch() {
    const next = this.queue[0];
    if (!next || next.photos || this.prefetched.has(next.cluster_id)) return;
    const asked = this.ask(place(next.cluster_id));
    asked.then(({ photos }) => photos.slice(0, 60).forEach((photo) => { new Image().src = this.picture(photo.id); }), () => this.prefetched.delete(next.cluster_id));
    this.prefetched.set(next.cluster_id, asked);
  }

  async open(entry) {
    let group;
    try {
      group = await this.read(entry);
    } catch (error) {
      this.say(error.message, "error");
      return this.next();
    }
    this.queue = this.queue.filter((each) => each !== entry && (entry.cluster_id === undefined || each.cluster_id !== entry.cluster_id));
    this.group = { ...group, taken: new Set(), cameWith: new Set(group.photos.map((photo) => photo.id)) };
    this.marked = new Set();
    this.out = new Set();
    this.cursor = 0;
    this.anchor = null;
    if (!this.group.photos.length) {
      this.say("Nothing is left of this group.", "info");
      return this.next();
    }
    this.showGroup();
    this.prefetch();
  }

  async next() {
    if (this.due()) return this.audit();
    const entry = this.queue.shift();
    if (entry) return this.open(entry);
    await this.send();
    await this.readOverview();
    this.cursor = 0;
    this.showOverview();
  }

  title() {
    const { cluster_id, photos, sureness, hardly_meters, name } = this.group;
    const meters = new Set(photos.map((photo) => photo.meter)).size;
    const parts = [counted(photos.length, "photo") + (meters < photos.length ? ` of ${counted(meters, "meter")}` : "")];
    if (sureness !== null && sureness !== undefined) parts.push(`one type: ${Math.round(sureness * 100)}% sure`);
    if (hardly_meters) parts.push("probably not meters");
    return `${name || (cluster_id < 0 ? "Noise" : `Group ${cluster_id}`)}: ${parts.join(", ")}`;
  }

  showGroup() {
    this.view = "group";
    const { photos, suggestions, similar } = this.group;
    this.items = photos.map((photo) => photo.id);
    this.frame(
      el("h2", {}, this.title()),
      el("div", { class: "suggestions", "aria-label": "Suggested names" },
        suggestions.map((each, index) => this.suggestion(each, index)),
        suggestions.length ? null : el("span", { class: "quiet" }, "No class is near.")),
      el("div", { class: "bar" },
        this.button("Name", "Enter", () => this.name()),
        this.button("Take out", "X", () => this.takeOut()),
        this.button("Mark", "Space", () => this.mark(this.cursor)),
        this.button("Junk", "J", () => this.finish("junk")),
        this.button("Merge", "G", () => this.merge(), { disabled: !similar.length }),
        this.button("Split", "K", () => this.split()),
        this.button("Move", "M", () => this.move()),
        this.button("Look-alikes", "L", () => this.grow()),
        this.button("Later", "S", () => this.finish("later")),
        this.button("Back", "B", () => this.back()),
        this.button("Large", "Z", () => this.large()),
        this.button("Undo", "Ctrl+Z", () => this.undo()),
        this.button("Redo", "Ctrl+Y", () => this.redo()),
        this.button("Help", "?", () => this.help()),
        this.sizer()),
      el("div", { class: "beside" },
        el("div", { class: "grid photos", role: "listbox", "aria-multiselectable": "true", "aria-label": "Photos of the group, the odd ones first" },
          photos.map((photo, index) => this.photo(photo, index))),
        similar.length ? el("aside", {}, el("strong", {}, "Similar groups"), similar.map((each, index) => this.similar(each, index))) : null),
    );
    this.items.forEach((id, index) => this.out.has(id) && this.paint(index));
    this.place(this.cursor);
  }

  suggestion(each, index) {
    return el("button", { class: "suggestion", "aria-keyshortcuts": String(index + 1), on: { click: () => this.finish("name", each.label) } },
      el("kbd", {}, String(index + 1)),
      each.image_id ? el("img", { src: this.picture(each.image_id, 192), alt: "" }) : null,
      el("span", {}, each.label, el("small", {}, `${each.source === "named" ? "named a while ago" : "known class"}, ${Math.round(each.similarity * 100)}% alike`)));
  }

  similar(each, index) {
    return el("button", { class: "similar", on: { click: () => this.merge(index) } },
      el("span", {}, `Group ${each.cluster_id}: ${counted(each.photos, "photo")}`),
      el("div", { class: "strip" }, each.examples.slice(0, 6).map((id) => el("img", { src: this.picture(id, 192), alt: "", loading: "lazy" }))));
  }

  photo(photo, index) {
    const guess = photo.top3.length ? `${photo.top3[0][0]} ${Math.round(photo.top3[0][1] * 100)}%` : "no guess";
    const image = this.image(this.picture(photo.id), `Photo ${index + 1}, model's guess ${guess}`, index < 60 ? "eager" : "lazy");
    return el("div", { class: "photo", role: "option", tabIndex: -1, "aria-selected": false, "data-index": index, on: { click: (event) => this.click(event, index), dblclick: () => this.large() } },
      image, el("span", { class: "quiet" }, guess));
  }

  image(src, alt, loading = "eager") {
    const image = el("img", { src, alt, loading, decoding: "async" });
    image.addEventListener("error", () => this.sayLost(image));
    return image;
  }

  async sayLost(image) {
    const words = el("span", { class: "lost", "data-src": image.src }, "This photo cannot be shown.");
    image.replaceWith(words);
    try {
      words.textContent = (await (await fetch(image.src)).json()).error;
    } catch {
      // Then what stands there is all that is known.
    }
  }

  // Marks change classes of what is there: nothing is drawn again, so that a mark is there within a frame.
  paint(index) {
    const node = this.root.querySelector(`.grid [data-index="${index}"]`);
    if (!node) return;
    const id = this.items[index];
    node.setAttribute("aria-selected", this.marked.has(id));
    node.classList.toggle("marked", this.marked.has(id));
    node.classList.toggle("out", this.out.has(id));
  }

  place(index) {
    if (!this.items?.length) return;
    const before = this.root.querySelector('.grid [tabindex="0"]');
    if (before) before.tabIndex = -1;
    this.cursor = Math.max(0, Math.min(index, this.items.length - 1));
    const node = this.root.querySelector(`.grid [data-index="${this.cursor}"]`);
    if (!node) return;
    node.tabIndex = 0;
    if (!this.dialog) node.focus();
  }

  sameMeter(index) {
    const meter = this.group.photos[index].meter;
    return this.group.photos.map((photo, i) => [photo, i]).filter(([photo]) => photo.meter === meter).map(([, i]) => i);
  }

  mark(index, on) {
    const indices = this.view === "overview" ? [index] : this.sameMeter(index);
    const wanted = on ?? !this.marked.has(this.items[index]);
    for (const each of indices) {
      if (wanted) this.marked.add(this.items[each]);
      else this.marked.delete(this.items[each]);
      this.paint(each);
    }
  }

  click(event, index) {
    if (event.shiftKey) {
      const from = this.anchor ?? this.cursor;
      for (let i = Math.min(from, index); i <= Math.max(from, index); i++) this.mark(i, true);
    } else {
      this.mark(index, event.ctrlKey || event.metaKey ? undefined : !this.marked.has(this.items[index]));
      this.anchor = index;
    }
    this.place(index);
  }

  takeOut() {
    const ids = this.marked.size ? [...this.marked] : this.sameMeter(this.cursor).map((i) => this.items[i]);
    const hadMarks = this.marked.size > 0;
    const wanted = ids.some((id) => !this.out.has(id));
    for (const id of ids) {
      if (wanted) this.out.add(id);
      else this.out.delete(id);
    }
    this.marked.clear();
    for (let i = 0; i < this.items.length; i++) this.paint(i);
    if (wanted && !hadMarks) this.place(Math.max(...ids.map((id) => this.items.indexOf(id))) + 1);
  }

  rest() {
    return this.items.filter((id) => !this.out.has(id) && !this.group.taken.has(id));
  }

  name() {
    const rest = this.rest();
    if (!rest.length) return this.say("All photos of this group are taken out: nothing is left to name.", "info");
    this.palette(`Name ${counted(rest.length, "photo")}`, this.group.suggestions, (label) => this.finish("name", label));
  }

  finish(action, label = null) {
    const isPart = (action === "junk" || action === "later") && this.marked.size > 0;
    this.settle(action, label);
    if (!isPart) this.next();
  }

  settle(action, label) {
    const isPart = (action === "junk" || action === "later") && this.marked.size;
    const ids = isPart ? [...this.marked] : this.rest();
    const out = [...this.out].filter((id) => !this.group.taken.has(id));
    if (!isPart && out.length && ids.length && this.group.cluster_id !== null) {
      this.decide("exclude", out, { target: ids, cluster_id: this.group.cluster_id });
    }
    const with_last = !isPart && out.length > 0 && ids.length > 0 && this.group.cluster_id !== null;
    if (ids.length) this.decide(action, ids, { target: label, cluster_id: this.group.cluster_id, with_last });
    if (action !== "later") this.since = { photos: (this.since?.photos ?? 0) + ids.length };
    if (isPart) return this.takeAway(ids);
  }

  takeAway(ids) {
    for (const id of ids) this.group.taken.add(id);
    this.group.photos = this.group.photos.filter((photo) => !this.group.taken.has(photo.id));
    this.marked.clear();
    if (!this.group.photos.length) return this.next();
    this.cursor = Math.min(this.cursor, this.group.photos.length - 1);
    this.showGroup();
  }

  move() {
    if (!this.marked.size) return this.say("Mark the photos to be moved first (Space), then press M.", "info");
    const ids = [...this.marked];
    this.palette(`Move ${counted(ids.length, "photo")} to`, this.group.suggestions, (label) => {
      this.decide("name", ids, { target: label, cluster_id: this.group.cluster_id });
      this.takeAway(ids);
    });
  }

  async merge(index = 0) {
    const other = this.group.similar[index];
    if (!other) return this.say("No group is similar to this one.", "info");
    const shown = this.group;
    let more;
    try {
      more = await this.ask(place(other.cluster_id));
    } catch (error) {
      return this.say(error.message, "error");
    }
    if (this.group !== shown) return;
    const here = new Set(shown.photos.map((photo) => photo.id));
    shown.photos = [...shown.photos, ...more.photos.filter((photo) => !here.has(photo.id))];
    shown.similar = shown.similar.filter((each) => each !== other);
    this.queue = this.queue.filter((entry) => entry.cluster_id !== other.cluster_id);
    this.decide("group", shown.photos.map((photo) => photo.id).filter((id) => !this.out.has(id)), { cluster_id: shown.cluster_id });
    this.say(`Group ${other.cluster_id} is merged into this one.`, "info");
    this.prefetched.clear();
    this.showGroup();
  }

  async split() {
    if (this.marked.size) {
      const ids = [...this.marked];
      const rest = this.rest().filter((id) => !this.marked.has(id));
      const photos = this.group.photos.filter((photo) => this.marked.has(photo.id));
      if (ids.length > 1) this.decide("group", ids, { cluster_id: this.group.cluster_id });
      if (rest.length) this.decide("exclude", ids, { target: rest, cluster_id: this.group.cluster_id });
      this.queue.unshift({ photos, name: "Split off", cluster_id: null });
      return this.takeAway(ids);
    }
    let parts;
    try {
      ({ parts } = await this.ask("split", { image_ids: this.rest() }));
    } catch (error) {
      return this.say(error.message, "error");
    }
    if (parts.length < 2) return this.say("These photos look all alike: there is nothing to split. Mark some to split them off.", "info");
    const by = new Map(this.group.photos.map((photo) => [photo.id, photo]));
    const [first, ...others] = parts;
    this.queue.unshift(...others.map((ids, index) => ({ photos: ids.map((id) => by.get(id)), name: `Part ${index + 2} of ${parts.length}`, cluster_id: null })));
    this.group.photos = first.map((id) => by.get(id));
    this.group.name = `Part 1 of ${parts.length}`;
    this.say(`Split into ${parts.length} parts; the others follow.`, "info");
    this.cursor = 0;
    this.showGroup();
  }

  async back() {
    this.cursor = 0;
    this.marked = new Set();
    if (this.outbox.length) await Promise.race([this.send(), new Promise((done) => setTimeout(done, RETRY_MS))]);
    await this.readOverview();
    this.showOverview();
  }

  // ------------------------------------------------------------ look-alikes, page by page

  grow() {
    const seeds = this.rest().slice(0, SEEDS);
    if (!seeds.length) return this.say("All photos of this group are taken out: nothing is left to name.", "info");
    this.palette(`Name ${counted(this.rest().length, "photo")}, then show what looks like them`, this.group.suggestions, async (label) => {
      this.settle("name", label);
      this.growing = { label, of: this.group, seeds, pages: 1, offset: 0 };
      await this.send();
      this.growPage();
    });
  }

  async growPage() {
    const growing = this.growing;
    let found;
    try {
      found = await this.ask("grow", { image_ids: growing.seeds, offset: growing.offset, size: LOOK_ALIKES * growing.pages });
    } catch (error) {
      return this.say(error.message, "error");
    }
    if (!found.photos.length) {
      this.say("No further photo looks like this group.", "info");
      return this.endGrow();
    }
    this.view = "grow";
    this.grown = found;
    this.group = { ...growing.of, photos: found.photos, taken: new Set(), similar: [] };
    this.items = found.photos.map((photo) => photo.id);
    this.marked = new Set();
    this.out = new Set();
    this.cursor = 0;
    this.frame(
      el("h2", {}, `Look-alikes, nearest first: are they all ${growing.label}?`),
      el("p", { class: "quiet" }, "Take out those that are not; Enter names the rest and shows the next ones, more of them each time all match."),
      el("div", { class: "bar" },
        this.button("Name the rest", "Enter", () => this.growOn()),
        this.button("Take out", "X", () => this.takeOut()),
        this.button("Large", "Z", () => this.large()),
        this.button("Stop here", "B", () => this.endGrow()),
        this.button("Undo", "Ctrl+Z", () => this.undo()),
        this.sizer()),
      el("div", { class: "grid photos", role: "listbox", "aria-multiselectable": "true", "aria-label": "Look-alikes" },
        found.photos.map((photo, index) => this.photo(photo, index))),
    );
    this.place(0);
  }

  async growOn() {
    const ids = this.rest();
    const { growing } = this;
    const with_last = this.out.size > 0 && ids.length > 0;
    if (with_last) this.decide("exclude", [...this.out], { target: ids });
    if (ids.length) this.decide("name", ids, { target: growing.label, with_last });
    this.prefetched.clear();
    growing.offset += this.out.size; // the named ones are not look-alikes that wait any more
    growing.pages = this.out.size ? Math.max(1, Math.floor(growing.pages / 4)) : Math.min(8, growing.pages * 2);
    await this.send();
    if (!ids.length || !this.grown.more) return this.endGrow();
    this.group = growing.of;
    return this.growPage();
  }

  endGrow() {
    this.growing = null;
    return this.next();
  }

  // ------------------------------------------------------------ one in twenty comes back without its name

  lookAgain(ids, label, decision_id) {
    const number = Math.ceil(ids.length / AUDIT_EVERY);
    const photos = new Map(this.group.photos.map((photo) => [photo.id, photo]));
    const drawn = [...ids].sort(() => Math.random() - 0.5).slice(0, number);
    drawn.forEach((id, place) => {
      const photo = photos.get(id) ?? { id, meter: id, top3: [], last: null };
      this.visit.again.push({ photo, label, decision_id, after: this.visit.decisions + 2 * (place + 1) });
    });
  }

  due() {
    const ripe = this.visit.again.find((each) => each.after <= this.visit.decisions);
    if (ripe || this.queue.length) return ripe;
    this.atTheEnd = (this.atTheEnd ?? 0) + 1; // with nothing else left, a few more are asked, not all
    return this.atTheEnd <= AT_THE_END ? this.visit.again[0] : undefined;
  }

  audit() {
    const again = this.due();
    this.visit.again = this.visit.again.filter((each) => each !== again);
    keep("visit", this.visit);
    this.view = "audit";
    this.group = { cluster_id: null, photos: [again.photo], suggestions: [], similar: [], revision: null, taken: new Set() };
    this.items = [again.photo.id];
    this.marked = new Set();
    this.out = new Set();
    this.cursor = 0;
    this.frame(
      el("h2", {}, "One that was named in bulk: what is it?"),
      el("p", { class: "quiet" }, "One photo in twenty comes back without its name, to tell how good names in bulk are."),
      el("div", { class: "bar" }, this.button("Name", "Enter", () => this.answer(again)), this.button("Skip", "S", () => this.next()), this.button("Large", "Z", () => this.large())),
      el("div", { class: "grid photos single", role: "listbox", "aria-label": "The photo" }, this.photo({ ...again.photo, top3: [] }, 0)),
    );
    this.place(0);
  }

  answer(again) {
    this.palette("What is it?", [], (label) => {
      this.visit.asked += 1;
      if (label !== again.label) {
        this.visit.differently += 1;
        this.decide("name", [again.photo.id], { target: label });
      }
      keep("visit", this.visit);
      this.next();
    });
  }

  // ------------------------------------------------------------ undo and redo, over visits

  async undo() {
    await this.send();
    const step = this.visit.done[this.visit.done.length - 1] ?? (await this.lastStep(false));
    if (!step) return this.say("There is nothing to undo.", "info");
    const by = await this.takeBack(step.ids);
    if (!by) return;
    this.forget(step.ids);
    this.visit.undone.push({ ids: by, cluster_id: step.cluster_id });
    this.visit.decisions = Math.max(0, this.visit.decisions - step.ids.length);
    this.visit.again = this.visit.again.filter((each) => !step.ids.includes(each.decision_id));
    keep("visit", this.visit);
    this.say("Undone.", "info", "Redo", () => this.redo());
    await this.afterUndo(step.cluster_id);
  }

  async redo() {
    await this.send();
    const step = this.visit.undone.pop() ?? (await this.lastStep(true));
    if (!step) return this.say("There is nothing to redo.", "info");
    const restored = await this.takeBack(step.ids, true);
    if (!restored) return;
    this.visit.done.push({ ids: restored, cluster_id: step.cluster_id });
    this.visit.decisions += restored.length;
    keep("visit", this.visit);
    this.say("Done again.", "info");
    await this.afterUndo(null);
  }

  // What this person said or took back last, from the files: after a restart and in another browser too.
  async lastStep(isUndo) {
    try {
      const { decisions } = await this.ask("history?limit=200");
      const last = decisions.find((each) => each.is_live && each.by === this.data.by && Boolean(each.undoes) === isUndo);
      return last ? { ids: [last.decision_id], cluster_id: last.cluster_id ?? null } : null;
    } catch (error) {
      this.say(error.message, "error");
      return null;
    }
  }

  // The newest first, as the later one may rest on the earlier. Returns the ids that the way back needs.
  async takeBack(ids, wantsRestored = false) {
    const made = [];
    for (const id of [...ids].reverse()) {
      try {
        const answer = await this.ask("undo", { decision_id: id, by: this.data.by });
        made.push(wantsRestored ? answer.restored : answer.by_decision);
      } catch (error) {
        this.say(error.message, "error");
        if (error.status !== 409) return null;
        this.forget([id]); // somebody took it back already
      }
    }
    this.prefetched.clear();
    return made.length ? made : null;
  }

  async afterUndo(cluster) {
    await this.readOverview();
    if (this.view === "overview") return this.showOverview();
    const here = this.view === "group" ? this.group.cluster_id : null;
    if (cluster !== null && cluster !== undefined && cluster !== here) {
      // What was taken back is looked at again at once; the group that was open follows it.
      if (here !== null) this.queue.unshift({ cluster_id: here });
      return this.open({ cluster_id: cluster });
    }
    if (here !== null) return this.open({ cluster_id: here });
    this.say("What was taken back waits among all groups (B).", "info");
    this.count();
  }

  // ------------------------------------------------------------ dialogs

  show(dialog, first) {
    this.dialog = dialog;
    this.overlay.replaceChildren(dialog);
    if (!this.overlay.open) this.overlay.showModal(); // above the menu and the header, which no z-index reaches
    (first || dialog.querySelector("input, button"))?.focus();
  }

  hide() {
    this.dialog = null;
    if (this.overlay.open) this.overlay.close();
    this.overlay.replaceChildren();
    this.focus();
  }

  palette(title, suggestions, choose) {
    const input = el("input", { type: "text", autocomplete: "off", "aria-label": "Name of the class", placeholder: "Type a name, or choose" });
    const list = el("div", { class: "choices", role: "listbox", "aria-label": "Classes" });
    const warning = el("p", { class: "warning", role: "status" });
    const recent = kept("recent", []);
    const names = this.overview.names;
    let options = [];
    let at = 0;
    const picked = (label) => { this.hide(); choose(label); };
    // A new class nearly equal to another one is made by a second Enter, once the warning was there to be read.
    const take = async (option) => {
      if (!option.isNew || warning.dataset.of === option.label) return picked(option.label);
      const isFine = await this.warn(option.label, warning, input);
      if (isFine && this.dialog === dialog) picked(option.label);
    };
    const paint = () => [...list.children].forEach((node, index) => { node.setAttribute("aria-selected", index === at); if (index === at) node.scrollIntoView({ block: "nearest" }); });
    const draw = () => {
      const typed = input.value.trim();
      const low = typed.toLowerCase();
      const near = suggestions.map((each) => ({ label: each.label, image_id: each.image_id, note: each.source === "named" ? "near, named a while ago" : "near" }));
      const late = recent.map((label) => ({ label, note: "recent" }));
      const all = names.map((each) => ({ label: each.label, image_id: each.image_id, note: counted(each.photos, "photo") }));
      const seen = new Set();
      options = [...near, ...late, ...all].filter((each) => !seen.has(each.label) && seen.add(each.label) && each.label.toLowerCase().includes(low)).slice(0, 60);
      const isThere = names.some((each) => each.label.toLowerCase() === low);
      if (typed && !isThere) options.push({ label: typed, note: "new class", isNew: true });
      // A new class has no name filled in: Enter takes the first that is offered only once something was typed or chosen.
      at = typed ? 0 : -1;
      list.replaceChildren(...options.map((each, index) => el("button", { class: "choice", role: "option", on: { click: () => take(each), mousemove: () => { at = index; paint(); } } },
        each.image_id ? el("img", { src: this.picture(each.image_id, 192), alt: "" }) : el("span", { class: "blank" }),
        el("span", {}, each.isNew ? `New class: ${each.label}` : each.label), el("small", {}, each.note))));
      paint();
      warning.textContent = "";
      if (typed && !isThere) this.warn(typed, warning, input);
    };
    input.addEventListener("input", draw);
    const dialog = el("div", { class: "dialog palette", role: "dialog", "aria-modal": "true", "aria-label": title },
      el("h3", {}, title), input, warning, list, el("p", { class: "quiet" }, "Arrows choose, Enter takes, Esc goes back."));
    dialog.keys = (event) => {
      if (event.key === "ArrowDown") at = Math.min(at + 1, options.length - 1);
      else if (event.key === "ArrowUp") at = Math.max(at - 1, 0);
      else if (event.key === "Enter") { if (options[at]) take(options[at]); return true; }
      else return false;
      paint();
      return true;
    };
    this.show(dialog, input);
    draw();
  }

  async warn(typed, warning, input) {
    try {
      const { near, spelling, problem } = await this.ask(`near-names?name=${encodeURIComponent(typed)}`);
      if (input.value.trim() !== typed) return false;
      const words = [];
      if (problem) words.push(problem);
      else if (spelling !== typed) words.push(`It is written ${spelling}.`);
      if (near.length) words.push(`Nearly the same: ${near.join(", ")}. Is it one of these?`);
      warning.textContent = words.join(" ");
      if (near.length) warning.dataset.of = typed;
      return !problem && !near.length;
    } catch {
      return true; // the decision itself is checked when it is made
    }
  }

  async large() {
    const photo = this.group?.photos[this.cursor];
    if (!photo) return;
    const beside = el("div", { class: "nearest" }, el("span", { class: "quiet" }, "Looking for known photos like it ..."));
    const guesses = photo.top3.map(([label, share]) => `${label} ${Math.round(share * 100)}%`).join(", ");
    const dialog = el("div", { class: "dialog large", role: "dialog", "aria-modal": "true", "aria-label": "Large photo" },
      el("figure", {}, el("img", { src: this.picture(photo.id, LARGE), alt: "The photo, large" }), el("figcaption", {}, guesses || "The model has no guess.")),
      beside, el("button", { on: { click: () => this.hide() } }, "Close", el("kbd", {}, "Esc")));
    dialog.keys = (event) => {
      if (event.key.toLowerCase() !== "z") return false;
      this.hide();
      return true;
    };
    this.show(dialog);
    try {
      const { photos } = await this.ask(`nearest/${photo.id}`);
      beside.replaceChildren(...(photos.length ? photos.map((each) => el("figure", {}, el("img", { src: this.picture(each.image_id, LARGE), alt: `Known photo of ${each.label}` }), el("figcaption", {}, `Known: ${each.label}`))) : [el("span", {}, "There is no known photo to compare with.")]));
    } catch (error) {
      beside.replaceChildren(el("span", {}, error.message));
    }
  }

  help() {
    const rows = [
      ["Arrows", "move"], ["Space", "mark; Shift and Ctrl click as everywhere; Ctrl+A marks all, Esc none"],
      ["X", "take out: not of this group"], ["Enter", "name what is left"], ["1 to 3", "take that suggestion"],
      ["J", "junk: the marked, or what is left"], ["G", "merge with the similar group beside"],
      ["K", "split: the marked become a group; nothing marked: the group is clustered again"],
      ["M", "move the marked to a class"], ["L", "look-alikes, page by page"], ["S", "later"], ["B", "back to all groups"],
      ["Z", "large, beside the nearest known photos"], ["Ctrl+Z, Ctrl+Y", "undo, redo; also after a restart"], ["?", "this help"],
    ];
    this.show(el("div", { class: "dialog", role: "dialog", "aria-modal": "true", "aria-label": "Help" },
      el("h3", {}, "Keys"), el("table", {}, rows.map(([key, does]) => el("tr", {}, el("td", {}, key.split(", ").map((one) => el("kbd", {}, one))), el("td", {}, does)))),
      el("p", { class: "quiet" }, "The odd photos come first. Photos of one physical meter are marked and taken out together."),
      el("button", { on: { click: () => this.hide() } }, "Close", el("kbd", {}, "Esc"))));
  }

  // ------------------------------------------------------------ keys

  columns() {
    const nodes = [...this.root.querySelectorAll(".grid [data-index]")];
    if (nodes.length < 2) return 1;
    const top = nodes[0].offsetTop;
    const next = nodes.findIndex((node) => node.offsetTop !== top);
    return next < 0 ? nodes.length : next;
  }

  key(event) {
    if (!this.root.isConnected || event.defaultPrevented || event.isComposing) return;
    const target = event.composedPath()[0];
    const inside = this.root.contains(target) || target === document.body;
    if (!inside) return;
    if (this.handle(event, target)) {
      event.preventDefault();
      event.stopImmediatePropagation();
    } else if (this.root.contains(target) && event.key.length === 1 && !event.ctrlKey && !event.metaKey) {
      event.stopImmediatePropagation(); // R and C belong to Streamlit elsewhere
    }
  }

  handle(event, target) {
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    const ctrl = event.ctrlKey || event.metaKey;
    if (this.dialog) {
      if (key === "Escape") { this.hide(); return true; }
      return this.dialog.keys ? this.dialog.keys(event) : false;
    }
    if (target.tagName === "INPUT") return false;
    if (ctrl && key === "z" && !event.shiftKey) { this.undo(); return true; }
    if (ctrl && (key === "y" || (key === "z" && event.shiftKey))) { this.redo(); return true; }
    if (ctrl && key === "a") { for (let i = 0; i < this.items.length; i++) this.mark(i, true); return true; }
    if (ctrl || event.altKey) return false;
    if (key === "?") { this.help(); return true; }
    if (key === "Escape") { this.marked.clear(); for (let i = 0; i < (this.items?.length ?? 0); i++) this.paint(i); return true; }
    if (target.tagName === "BUTTON" && (key === "Enter" || key === " ")) return false;
    const steps = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -this.columns(), ArrowDown: this.columns(), Home: -1e6, End: 1e6 };
    if (key in steps && this.items?.length) {
      const from = this.cursor;
      this.place(this.cursor + steps[key]);
      if (event.shiftKey) for (let i = Math.min(from, this.cursor); i <= Math.max(from, this.cursor); i++) this.mark(i, true);
      return true;
    }
    const acts = {
      overview: { Enter: () => this.enterOverview(), " ": () => this.mark(this.cursor), n: () => this.nameClusters(), j: () => this.junkClusters() },
      group: {
        Enter: () => this.name(), " ": () => this.mark(this.cursor), x: () => this.takeOut(), j: () => this.finish("junk"), g: () => this.merge(), k: () => this.split(),
        m: () => this.move(), l: () => this.grow(), s: () => this.finish("later"), b: () => this.back(), z: () => this.large(),
      },
      grow: { Enter: () => this.growOn(), " ": () => this.mark(this.cursor), x: () => this.takeOut(), b: () => this.endGrow(), z: () => this.large() },
      audit: { Enter: () => this.root.querySelector(".bar .act").click(), s: () => this.next(), z: () => this.large() },
    }[this.view];
    if (this.view === "group" && ["1", "2", "3"].includes(key) && this.group.suggestions[Number(key) - 1]) {
      this.finish("name", this.group.suggestions[Number(key) - 1].label);
      return true;
    }
    if (!acts?.[key]) return false;
    acts[key]();
    return true;
  }
}
