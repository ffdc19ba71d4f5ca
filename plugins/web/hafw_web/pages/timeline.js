// The last transitions as a picture. No value of the daemon's gets into markup: everything is set as text or number.
const SVG = "http://www.w3.org/2000/svg";
const DAY = 24 * 3600e3;
export const RANGES = [
  ["15 min", 15 * 60e3], ["1 h", 3600e3], ["6 h", 6 * 3600e3], ["24 h", DAY], ["7 d", 7 * DAY], ["all", 0],
];
const STEPS = [10e3, 30e3, 60e3, 2 * 60e3, 5 * 60e3, 15 * 60e3, 3600e3, 3 * 3600e3, 6 * 3600e3, DAY, 2 * DAY, 7 * DAY, 30 * DAY];
const HEIGHT = { MASTER: 20, FAULT: 20, BACKUP: 10, INITIALIZE: 5 };  // not by colour alone
const ROW = 34, BAR = 20, TOP = 4, AXIS = 22, LEAST = 2.5;

function shape(kind, attributes, ...inner) {
  const made = document.createElementNS(SVG, kind);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...inner);
  return made;
}

function titled(text) {
  const made = document.createElementNS(SVG, "title");
  made.textContent = text;
  return made;
}

// The stretches of one router: from when to when it was in which state. What was before the first one is not known.
export function stretches(transitions, name, now, state) {
  const own = transitions.filter((each) => each.instance === name && each.type === "state_changed");
  const found = own.map((each, at) => ({
    from: Date.parse(each.time), to: at + 1 < own.length ? Date.parse(own[at + 1].time) : now, state: each.to, why: each,
    unsure: at + 1 < own.length ? own[at + 1].from !== each.to : each.to !== state,  // it ended before that, unseen
  }));
  return found;
}

// Milliseconds of a range; that of all is what there is, with a little air, and a minute at least.
export function lengthOf(range, transitions, now) {
  const oldest = Math.min(now, ...transitions.map((each) => Date.parse(each.time)));
  return range || Math.max(60e3, 1.04 * (now - oldest));
}

// What to show when nobody has chosen: everything, but of a long life the last day.
export function fitting(transitions, now) {
  return lengthOf(0, transitions, now) > DAY ? DAY : 0;
}

export function clock(when, length) {
  const options = length > 26 * 3600e3 ? { month: "short", day: "numeric", hour: "2-digit", minute: "2-digit" }
    : length < 10 * 60e3 ? { hour: "2-digit", minute: "2-digit", second: "2-digit" } : { hour: "2-digit", minute: "2-digit" };
  return new Intl.DateTimeFormat(undefined, { ...options, hourCycle: "h23" }).format(when);
}

function ticks(begin, now, width) {
  const most = Math.max(2, Math.floor(width / 95));
  const step = STEPS.find((each) => (now - begin) / each <= most) ?? STEPS.at(-1);
  const offset = new Date(begin).getTimezoneOffset() * 60e3;  // whole hours of the reader's day
  const found = [];
  for (let at = Math.ceil((begin - offset) / step) * step + offset; at <= now; at += step) found.push(at);
  return found;
}

// `marks`: other events of note, each with its instance and its time. `heard`: until when anything is known.
export function draw(host, { names, states, transitions, marks, range, now, heard, describe }) {
  const full = Math.max(280, host.clientWidth - 34);
  const narrow = full < 520;
  const left = narrow ? 4 : Math.min(170, 20 + 8 * Math.max(4, ...names.map((name) => name.length)));
  const row = narrow ? ROW + 16 : ROW;
  const length = lengthOf(range, transitions, now), known = heard === now;
  const width = full - left - 6, begin = now - length, height = TOP + names.length * row + AXIS;
  const x = (at) => left + width * Math.min(1, Math.max(0, (at - begin) / length));
  const svg = shape("svg", { viewBox: `0 0 ${full} ${height}`, role: "img" });
  svg.append(shape("defs", {}, shape("pattern", { id: "hatching", width: 6, height: 6, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" },
    shape("line", { class: "hatch", x1: 0, x2: 0, y1: 0, y2: 6 }))));
  const said = [];
  for (const at of ticks(begin, now, width)) {
    svg.append(shape("line", { class: "tick", x1: x(at), x2: x(at), y1: TOP, y2: height - AXIS + 4 }));
    const label = shape("text", { x: x(at), y: height - 4, "text-anchor": x(at) > full - 24 ? "end" : x(at) < left + 20 ? "start" : "middle" });
    label.textContent = clock(at, length);
    svg.append(label);
  }
  names.forEach((name, number) => {
    const y = TOP + number * row + (narrow ? 18 : 6);
    const label = shape("text", { class: "name", x: narrow ? left : left - 12, y: narrow ? y - 5 : y + 15, "text-anchor": narrow ? "start" : "end" });
    label.textContent = !narrow && name.length > 19 ? `${name.slice(0, 18)}…` : name;
    if (name.length > 19) label.append(titled(name));
    svg.append(label, shape("rect", { class: "ground", x: left, y, width, height: BAR, rx: 4 }));
    const found = stretches(transitions, name, heard, states[name]).filter((each) => each.to >= begin);
    for (const each of found) {
      const from = x(each.from), long = Math.max(LEAST, x(each.to) - from);
      const place = { x: Math.min(from, left + width - LEAST), y: y + BAR - (HEIGHT[each.state] ?? BAR), width: long, height: HEIGHT[each.state] ?? BAR, rx: Math.min(4, long / 2) };
      svg.append(shape("rect", { class: `span ${each.state}${each.unsure ? " unsure" : ""}`, ...place }, titled(describe(each.why))));
      if (each.state === "FAULT") svg.append(shape("rect", { ...place, fill: "url(#hatching)", "pointer-events": "none" }));
    }
    said.push(`${name}: ${found.length ? found.slice(-3).map((each) => `${each.state} from ${clock(each.from, length)}`).join(", ") : known ? `${states[name]} all the time` : "unknown"}`);
    for (const mark of marks.filter((each) => each.instance === name && Date.parse(each.time) >= begin)) {
      const at = x(Date.parse(mark.time)), middle = y + BAR / 2;
      svg.append(shape("path", { class: "mark", d: `M${at} ${middle - 7}l7 7l-7 7l-7 -7z` }, titled(describe(mark))));
    }
  });
  svg.setAttribute("aria-label", `Timeline from ${clock(begin, length)} to ${clock(now, length)}. ${said.join("; ")}`);
  host.replaceChildren(svg, legend());
}

function legend() {
  const list = document.createElement("ul");
  list.className = "legend";
  for (const [kind, text] of [["MASTER", "MASTER"], ["BACKUP", "BACKUP"], ["FAULT", "FAULT"], ["INITIALIZE", "INITIALIZE"], ["nothing", "not known"], ["diamond", "event of note"]]) {
    const item = document.createElement("li"), key = document.createElement("span");
    key.className = `key ${kind}`;
    item.append(key, text);
    list.append(item);
  }
  return list;
}
