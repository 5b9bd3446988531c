// What a page of another site could try, given the addresses of both servers; says what came of it.
async ([dagster, dashboard]) => {
  const done = {}, soon = (promise) => Promise.race([promise, new Promise((end) => setTimeout(end, 4000, "nothing"))]);
  const order = (key) => `mutation{setConcurrencyLimit(concurrencyKey:"${key}",limit:0)}`;
  const part = (tag, src, more = {}) => soon(new Promise((end) => {
    const element = Object.assign(document.createElement(tag), more, { onload: () => end("got"), onerror: () => end("refused") });
    element[tag === "link" ? "href" : "src"] = src;
    document.body.append(element);
  }));
  const socket = (url, protocol) => soon(new Promise((end) => {
    const opened = new WebSocket(url.replace("http", "ws"), protocol);
    opened.onopen = () => end("got");
    opened.onerror = () => end("refused");
  }));
  const read = (url, options) => soon(fetch(url, options).then((answer) => answer.text()).then((text) => text ? "got" : "refused", () => "refused"));
  const sent = [];
  const form = (action, enctype, fields) => {
    const target = document.body.appendChild(Object.assign(document.createElement("iframe"), { name: `f${sent.length}` }));
    const posted = Object.assign(document.createElement("form"), { action, enctype, method: "POST", target: target.name });
    for (const [name, value] of Object.entries(fields)) posted.append(Object.assign(document.createElement("input"), { name, value, type: "hidden" }));
    document.body.append(posted); posted.submit(); sent.push(action);
  };
  const query = (key) => `?query=${encodeURIComponent(order(key))}`, json = (key) => JSON.stringify({ query: order(key) });
  const report = `${dagster}/report_asset_materialization/evil?data_version=1`;
  // Orders: what came of them is asked of the server afterwards.
  new Image().src = `${dagster}/graphql${query("evil-img")}`;
  new Image().src = `${dagster}/graphql?operationName=b&query=${encodeURIComponent("query a{version} " + order("evil-name").replace("mutation", "mutation b"))}`;
  new Image().src = report;
  form(`${dagster}/graphql${query("evil-form")}`, "application/x-www-form-urlencoded", { a: "b" });
  form(`${dagster}/graphql`, "text/plain", { [`{"query":"${order("evil-text").replaceAll('"', '\\"')}","a":"`]: '"}' });
  form(report, "application/x-www-form-urlencoded", {});
  form(report, "multipart/form-data", {});
  form(`${dashboard}/login`, "application/x-www-form-urlencoded", { password: "guess" });
  navigator.sendBeacon(`${dagster}/graphql`, new Blob([json("evil-beacon")], { type: "text/plain;application/json" }));
  navigator.sendBeacon(report);
  for (const type of ["text/plain", "text/plain; application/json"])
    await soon(fetch(`${dagster}/graphql`, { method: "POST", mode: "no-cors", credentials: "include", headers: { "Content-Type": type }, body: json("evil-fetch") }).catch(() => 0));
  await soon(fetch(report, { method: "POST", mode: "no-cors", keepalive: true }).catch(() => 0));
  document.body.append(Object.assign(document.createElement("iframe"), {
    sandbox: "allow-scripts allow-forms", srcdoc: `<script>fetch("${dagster}/graphql${query("evil-null")}",{method:"POST",mode:"no-cors"});fetch("${report}",{method:"POST",mode:"no-cors"});new Image().src="${dagster}/graphql${query("evil-null")}"<\/script>`,
  }));
  // Reading: "got" is what must not be.
  for (const [name, base] of [["dagster", dagster], ["dashboard", dashboard]]) {
    done[`${name} picture`] = await part("img", `${base}/favicon.png`);
    done[`${name} script`] = await part("script", `${base}/${name === "dagster" ? "server_info" : "_stcore/host-config"}`);
    done[`${name} style`] = await part("link", `${base}/${name === "dagster" ? "vendor/graphiql/graphiql.min.css" : "_stcore/metrics"}`, { rel: "stylesheet" });
    done[`${name} object`] = await part("embed", `${base}/favicon.png`);
    done[`${name} page`] = await read(`${base}/`);
    done[`${name} opaque`] = await soon(fetch(`${base}/favicon.png`, { mode: "no-cors" }).then(() => "got", () => "refused"));
  }
  done["dagster data"] = await read(`${dagster}/graphql`, { method: "POST", headers: { "Content-Type": "application/json" }, body: '{"query":"{version}"}' });
  done["dagster by get"] = await read(`${dagster}/graphql?query={version}`);
  done["dagster socket"] = await socket(`${dagster}/graphql`, "graphql-ws");
  done["dashboard socket"] = await socket(`${dashboard}/_stcore/stream`, "streamlit");
  done["dashboard upload"] = await read(`${dashboard}/_stcore/upload_file/a/b`, { method: "PUT", body: new FormData() });
  done["dashboard metrics"] = await read(`${dashboard}/_stcore/metrics`);
  document.body.append(Object.assign(document.createElement("iframe"), { src: `${dagster}/`, name: "frame-dagster" }));
  document.body.append(Object.assign(document.createElement("iframe"), { src: `${dashboard}/`, name: "frame-dashboard" }));
  await new Promise((end) => setTimeout(end, 2500));
  return done;
}
