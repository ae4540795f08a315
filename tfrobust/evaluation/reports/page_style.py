"""The style sheet of `report.html`: light and dark, wide and narrow, on screen and paper."""

CSS = """
:root {
  color-scheme: light dark;
  --paper: #ffffff; --card: #f5f6f8; --ink: #1c2430; --soft: #5b6675; --line: #d5dae1;
  --blue: #2f7ed8; --good: #1f8a5b; --warn: #a86500; --bad: #c0362c;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #14181e; --card: #1d232b; --ink: #e6eaf0; --soft: #9aa6b5; --line: #39424e;
    --blue: #5ba0ee; --good: #4cc38a; --warn: #e0a13c; --bad: #f2766b;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0; background: var(--paper); color: var(--ink);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif;
  -webkit-text-size-adjust: 100%;
}
main { max-width: 64rem; margin: 0 auto; padding: 2rem 1.25rem 4rem; }
h1 { font-size: 1rem; font-weight: 600; margin: 0; color: var(--soft); }
h2 { font-size: 1.15rem; margin: 2.5rem 0 .75rem; }
p { margin: .5rem 0; }
.soft { color: var(--soft); }
.small { font-size: .85rem; }
.number {
  font-size: clamp(2.6rem, 11vw, 4.6rem); line-height: 1.1; font-weight: 700;
  letter-spacing: -.03em; margin: .25rem 0; font-variant-numeric: tabular-nums;
}
.number small { font-size: .45em; font-weight: 500; letter-spacing: 0; color: var(--soft); }
.doubtful .number { color: var(--bad); }
.stamp {
  display: inline-block; padding: .15rem .7rem; margin: 0 0 .9rem; border-radius: 1rem;
  color: var(--bad); border: 1.5px solid var(--bad); font-weight: 700;
}
.scale { position: relative; height: .6rem; margin: 1rem 0 .3rem; border-radius: .3rem;
  background: var(--card); border: 1px solid var(--line); }
.scale i { position: absolute; top: 0; bottom: 0; border-radius: .3rem; background: var(--blue);
  opacity: .4; }
.scale b { position: absolute; top: -.25rem; bottom: -.25rem; width: 3px; margin-left: -1.5px;
  border-radius: 2px; background: var(--blue); }
.scale u { position: absolute; top: -.25rem; bottom: -.25rem; width: 2px; background: var(--soft); }
.finding { border-left: 4px solid var(--line); background: var(--card); padding: .6rem .9rem;
  margin: .6rem 0; border-radius: 0 .4rem .4rem 0; }
.finding.severe, .finding.error { border-color: var(--bad); }
.finding.warning { border-color: var(--warn); }
.finding.info { border-color: var(--blue); }
.level { font-size: .75rem; font-weight: 700; letter-spacing: .04em; text-transform: uppercase;
  white-space: nowrap; }
.level.severe, .level.error, .level.in-doubt { color: var(--bad); }
.level.warning, .level.partly { color: var(--warn); }
.level.info { color: var(--blue); }
.level.passed, .level.answered { color: var(--good); }
.level.not-answered { color: var(--soft); }
.wide { overflow-x: auto; border: 1px solid var(--line); border-radius: .5rem; }
table { border-collapse: collapse; width: 100%; font-size: .9rem; font-variant-numeric: tabular-nums; }
th, td { padding: .45rem .7rem; text-align: right; border-top: 1px solid var(--line); white-space: nowrap; }
th:first-child, td:first-child, td.text, th.text { text-align: left; }
td.text { white-space: normal; min-width: 11rem; }
tr:first-child th { border-top: 0; background: var(--card); font-weight: 600; color: var(--soft); }
dl { display: grid; grid-template-columns: max-content minmax(0, 1fr); gap: .35rem 1.2rem; margin: 0;
  font-size: .9rem; }
dt { color: var(--soft); }
dd { margin: 0; overflow-wrap: anywhere; }
code { font: .92em/1.4 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(22rem, 100%), 1fr)); gap: 1rem; }
.charts figure { margin: 0; padding: .8rem; border: 1px solid var(--line); border-radius: .5rem; }
.charts svg { display: block; width: 100%; height: auto; }
.images { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(13rem, 45%), 1fr)); gap: 1rem; }
.images figure { margin: 0; }
.images .three { display: grid; grid-template-columns: repeat(3, 1fr); gap: 3px; }
.images img { display: block; width: 100%; height: auto; image-rendering: pixelated; border-radius: 3px; }
.images figcaption { font-size: .8rem; color: var(--soft); margin-top: .25rem; }
details { margin: 1rem 0; }
summary { cursor: pointer; font-weight: 600; }
details[open] summary { margin-bottom: .75rem; }
@media (max-width: 34rem) {
  dl { grid-template-columns: minmax(0, 1fr); gap: 0; }
  dd { margin-bottom: .6rem; }
}
@media print { main { max-width: none; padding: 0; } .wide { overflow: visible; } }
"""
