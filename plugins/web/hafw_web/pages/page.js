// Draws what /events says. A state is shown only while the daemon answers: otherwise it is UNKNOWN, never the last one.
import { RANGES, draw, fitting } from "./timeline.js";

const SILENT = 7000;  // milliseconds without a word: the stream speaks every two seconds
const BROKEN = 2500;  // milliseconds after a connection broke: a daemon that is resumed is there again before
const EVENTS = 60, TRANSITIONS = 500;
const WARN = new Set(["split_brain", "vip_lost", "vrid_collision", "peer_mismatch", "plugin_failed", "stall", "flapping", "degraded", "fenced", "restarted", "resumed"]);
const LEFT_OUT = new Set(["seq", "time", "type", "instance", "vrid", "interface", "group", "plugin", "check", "from", "to", "host", "healthy"]);
const UNNAMED = new Set(["reason", "detail", "outcome"]);
const $ = (id) => document.getElementById(id);

let record = null, heard = 0, opened = false, broke = Infinity;
let events = [], transitions = [], chosen = null;

function make(kind, attributes = {}, ...inner) {
  const made = document.createElement(kind);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...inner);
  return made;
}

function span(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  if (whole < 60) return `${whole}s`;
  if (whole < 3600) return `${Math.floor(whole / 60)}m ${whole % 60}s`;
  if (whole < 86400) return `${Math.floor(whole / 3600)}h ${Math.floor(whole / 60) % 60}m`;
  return `${Math.floor(whole / 86400)}d ${Math.floor(whole / 3600) % 24}h`;
}

function milliseconds(seconds) {
  return seconds < 1 ? `${Math.round(1000 * seconds)} ms` : `${seconds.toFixed(1)} s`;
}

function moment(text) {
  const when = new Date(text), today = when.toDateString() === new Date().toDateString();
  const date = today ? {} : { month: "short", day: "numeric" };
  return new Intl.DateTimeFormat(undefined, { ...date, hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" }).format(when);
}

function details(event) {
  const pairs = Object.entries(event).filter(([name, value]) => !LEFT_OUT.has(name) && value !== "" && value !== null);
  return pairs.map(([name, value]) => UNNAMED.has(name) ? `${value}` : name === "seconds" ? milliseconds(value)
    : `${name} ${typeof value === "object" ? JSON.stringify(value) : value}`).join(", ");
}

function words(event) {
  const whose = event.instance ?? event.group ?? event.plugin ?? "";
  const turn = event.to ? ` ${event.from} → ${event.to}` : event.check ? ` ${event.check} ${event.healthy ? "is well" : "fails"}` : "";
  const more = details(event);
  return `${whose}${turn}${more ? `: ${more}` : ""}`;
}

const describe = (event) => `${moment(event.time)} ${event.type === "state_changed" ? "" : `${event.type} `}${words(event)}`;

// -- what counts ------------------------------------------------------------------------------------------------------

const silence = () => performance.now() - heard;
const isHeard = () => silence() < SILENT && performance.now() - broke < BROKEN;
const isKnown = () => record !== null && record.known && isHeard();

function drift() {  // seconds since the status was taken
  return (record.age_seconds ?? 0) + silence() / 1000;
}

function lineOf() {
  if (isKnown()) return ["live", "live"];
  if (record !== null && !record.known && isHeard()) return ["lost", "the daemon does not answer"];
  return opened ? ["lost", "no connection to hafw"] : ["waiting", "connecting"];
}

// -- parts ------------------------------------------------------------------------------------------------------------

function term(list, name, ...value) {
  list.append(make("dt", {}, name), make("dd", {}, ...value));
}

function checkLine(check) {
  const was = check.healthy ? "was ok" : "was FAILED";
  const state = !isKnown() ? make("span", { class: "dim" }, check.healthy === null ? "not known" : was) : check.healthy === null ? make("span", { class: "dim" }, "not known yet")
    : check.healthy ? make("span", { class: "good" }, "✓ ok") : make("span", { class: "bad" }, "✕ FAILED");
  const weight = check.critical ? "critical" : `weight ${check.weight}`;
  const took = check.healthy === null ? "" : ` ${milliseconds(check.duration)}`;
  return make("li", {}, `${check.name} `, state, make("span", { class: "dim" }, `${took}, ${weight}`), check.detail && !check.healthy ? ` – ${check.detail}` : "");
}

function addressLine(each, known) {
  const gone = known && each.state === "bound" && each.kernel === "missing";
  const state = make("span", { class: gone ? "bad" : "dim" }, !known ? " not known" : gone ? " ✕ the kernel does not have it" : ` ${each.state}`);
  return make("li", {}, make("span", { class: "mono" }, each.address), state);
}

function masterOf(instance) {
  if (!instance.master) return [make("span", { class: "dim" }, "nobody was heard")];
  if (instance.master.self) return ["this router"];
  return [make("span", { class: "mono" }, instance.master.address), ` (${instance.master.priority})`,
    make("span", { class: "dim" }, `, heard ${span(instance.master.heard_seconds + drift())} ago`)];
}

function card(instance) {
  const known = isKnown(), state = known ? instance.state : "UNKNOWN";
  const since = span(instance.since_seconds + (known ? drift() : 0));
  const article = make("article", { class: `card ${state}`, "data-instance": instance.name, "data-state": state });
  const where = `VRID ${instance.vrid} on ${instance.interface}, version ${instance.version}${instance.group ? `, group ${instance.group}` : ""}`;
  article.append(make("div", { class: "top" },
    make("div", {}, make("h3", {}, instance.name), make("p", { class: "where" }, where)), make("p", { class: "badge" }, state)));
  const why = [instance.reason, instance.detail].filter(Boolean).join(": ");
  article.append(known ? make("p", { class: "why" }, "for ", make("b", {}, since), why ? ` – ${why}` : "")
    : make("p", { class: "why" }, `was ${instance.state} when last heard, ${span(drift())} ago`));
  const list = make("dl");
  const effective = instance.effective_priority;
  term(list, "Priority", effective === instance.priority ? `${effective}` : `${effective} of ${instance.priority}`);
  term(list, "MASTER", ...(known ? masterOf(instance) : [make("span", { class: "dim" }, "not known")]));
  const addresses = instance.addresses.slice(0, 8).map((each) => addressLine(each, known));
  if (instance.addresses.length > 8) addresses.push(make("li", { class: "dim" }, `and ${instance.addresses.length - 8} more`));
  term(list, "Addresses", make("ul", {}, ...addresses));
  if (instance.checks.length) term(list, "Checks", make("ul", {}, ...instance.checks.map(checkLine)));
  article.append(list);
  return article;
}

function notice(grave, head, text) {
  return make("p", { class: grave ? "notice grave" : "notice" }, make("strong", {}, head), text);
}

function notices(status) {
  const found = [];
  if (!isKnown()) {
    const why = !isHeard() ? "This page has no connection to hafw" : `${record.why[0].toUpperCase()}${record.why.slice(1)}`;
    return [notice(true, "Nothing is known.", `${why}. What you see is as it was ${span(drift())} ago.`)];
  }
  if (status.maintenance) found.push(notice(false, "Maintenance.", [status.maintenance.reason, "this router stays BACKUP: hafw maintenance off ends it"].filter(Boolean).join(" – ")));
  for (const each of status.instances) {
    for (const rival of each.split_brain) found.push(notice(true, `${each.name}: two MASTERs.`, `${rival.peer ?? rival.mac} too, seen by ${rival.evidence}, for ${span(rival.since_seconds + drift())}`));
    if (each.degraded) found.push(notice(true, `${each.name}: degraded.`, "a critical check fails, and nobody else can serve"));
    if (each.flapping) found.push(notice(false, `${each.name}: flapping.`, "it changes its state too often, and is held back"));
    for (const [peer, said] of Object.entries(each.peers_differ)) if (said) found.push(notice(false, `${each.name}: ${peer} is configured otherwise.`, said));
    if (each.last_refused) found.push(notice(false, `${each.name}: adverts of ${each.last_refused.source} are refused.`, `${each.last_refused.reason}: ${each.last_refused.detail}`));
  }
  for (const each of status.plugins) if (!["running", "finished", "starting"].includes(each.state)) found.push(notice(false, `Plugin ${each.name} is ${each.state}.`, each.last_error));
  return found;
}

function eventLine(event) {
  return make("li", WARN.has(event.type) ? { class: "warns" } : {}, make("time", { datetime: event.time }, moment(event.time)),
    make("span", { class: "text" }, make("span", { class: "kind" }, event.type), ` ${words(event)}`));
}

function transitionLine(each) {
  const state = (name) => make("td", {}, make("span", { class: `state ${name}` }, name));
  return make("tr", {}, make("td", { class: "when" }, moment(each.time)), make("td", {}, each.instance), state(each.from), state(each.to),
    make("td", {}, [each.reason, each.detail, each.peer].filter(Boolean).join(", ")));
}

function pluginLine(each) {
  const well = ["running", "finished"].includes(each.state);
  const last = each.failures && each.last_error ? make("div", { class: "dim" }, each.last_error) : "";
  return make("tr", {}, make("td", {}, each.name), make("td", { class: well ? "" : "bad" }, isKnown() ? each.state : "not known"), make("td", {}, `${each.failures}`, last));
}

// -- the whole --------------------------------------------------------------------------------------------------------

function titleOf(status) {
  const count = {};
  for (const each of status.instances) count[isKnown() ? each.state : "UNKNOWN"] = (count[isKnown() ? each.state : "UNKNOWN"] ?? 0) + 1;
  const states = Object.entries(count);
  const said = states.length === 1 ? states[0][0] : states.map(([state, number]) => `${number} ${state}`).join(", ");
  return `${said} | ${status.node} | hafw`;
}

function replace(host, parts) {  // only what is new, so that nothing is taken away from under a pointer or a reader
  while (host.childElementCount > parts.length) host.lastElementChild.remove();
  parts.forEach((part, number) => {
    const old = host.children[number];
    if (!old) host.append(part);
    else if (old.outerHTML !== part.outerHTML) old.replaceWith(part);
  });
}

function show() {
  const [kind, text] = lineOf();
  if ($("line").textContent !== text) $("line").textContent = text;
  $("line").className = `line ${kind}`;
  const status = record?.status;
  if (!status) {
    if (record && !record.known) replace($("notices"), [notice(true, "Nothing is known.", record.why)]);
    return;
  }
  document.title = titleOf(status);
  $("node").textContent = status.node;
  $("about").textContent = `hafw ${status.version}, up ${span(status.uptime_seconds + (isKnown() ? drift() : 0))}`;
  replace($("notices"), notices(status));
  replace($("instances"), status.instances.map(card));
  replace($("plugins").tBodies[0], status.plugins.map(pluginLine));
  $("asof").textContent = `${isKnown() ? "As of" : "Last heard at"} ${moment(record.as_of)}, ${status.config}`;
}

function showPast() {
  replace($("events"), events.length ? events.slice(-EVENTS).reverse().map(eventLine) : [make("li", { class: "dim" }, "nothing has happened yet")]);
  const changes = transitions.filter((each) => each.type === "state_changed");
  replace($("transitions").tBodies[0], changes.slice(-100).reverse().map(transitionLine));
  if (!record?.status) return;
  const now = Date.now(), range = chosen ?? fitting(changes, now);
  for (const button of $("ranges").children) button.setAttribute("aria-pressed", `${Number(button.value) === range}`);
  const instances = record.status.instances;
  draw($("timeline"), {
    names: instances.map((each) => each.name), states: Object.fromEntries(instances.map((each) => [each.name, each.state])),
    transitions: changes, marks: events.filter((each) => WARN.has(each.type)), range, now, heard: isKnown() ? now : now - 1000 * drift(), describe,
  });
}

function speak(event) {
  if (event.type === "state_changed") $("spoken").textContent = `${event.instance} is ${event.to}`;
}

// -- the stream -------------------------------------------------------------------------------------------------------

const keyOf = (each) => `${each.time} ${each.type} ${each.instance ?? each.group ?? ""} ${each.to ?? ""}`;

function remember(news) {
  const known = new Set(transitions.map(keyOf));
  const fresh = news.filter((each) => each.type === "state_changed" && !known.has(keyOf(each)));
  transitions = [...transitions, ...fresh].sort((a, b) => (a.time < b.time ? -1 : a.time > b.time ? 1 : a.seq - b.seq)).slice(-TRANSITIONS);
}

async function fetchHistory() {
  try {
    const answer = await fetch("api/history");
    if (answer.ok) remember((await answer.json()).transitions);
  } catch { /* the line says that there is no connection */ }
  showPast();
}

function listen() {
  const source = new EventSource("events?since=0");
  source.addEventListener("open", () => { opened = true; fetchHistory(); });
  source.addEventListener("gap", () => { events = []; });
  source.addEventListener("status", (message) => {
    record = JSON.parse(message.data);
    heard = performance.now();
    broke = Infinity;
    show();
    showPast();
  });
  source.addEventListener("event", (message) => {
    const event = JSON.parse(message.data);
    if (events.some((each) => each.seq === event.seq && each.time === event.time)) return;
    events = [...events, event].slice(-500);
    remember([event]);
    if (opened && heard) speak(event);
  });
  source.addEventListener("error", () => {
    broke = Math.min(broke, performance.now());
    if (source.readyState === EventSource.CLOSED) setTimeout(listen, 3000);  // refused: the browser gives up by itself
    show();
  });
}

for (const [text, length] of RANGES) {
  const button = make("button", { type: "button", value: length, "aria-pressed": "false" }, text);
  button.addEventListener("click", () => { chosen = length; showPast(); });
  $("ranges").append(button);
}
setInterval(() => { show(); }, 1000);
setInterval(showPast, 10000);
let drawn = 0;
new ResizeObserver(([{ contentRect }]) => { if (contentRect.width !== drawn) { drawn = contentRect.width; showPast(); } }).observe($("timeline"));
listen();
