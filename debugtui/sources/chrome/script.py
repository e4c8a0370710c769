"""What runs inside the page: one script that listens from the first moment, one that collects at the end. And times from both.

The first does not touch what the page can see or do, but for one hidden, unenumerable name.
"""

from __future__ import annotations

from collections.abc import Sequence

LISTEN = """(() => {
  if (window.__debugtui_seen) return;
  const seen = {errors: [], rejections: [], blocked: [], lcp: null, shifts: [], tasks: []};
  Object.defineProperty(window, "__debugtui_seen", {value: seen});
  const cut = value => String(value === undefined || value === null ? "" : value).slice(0, 4000);
  const keep = (list, item) => { if (list.length < 100) list.push(item); };
  addEventListener("error", event => {
    if (!(event instanceof ErrorEvent)) return;
    keep(seen.errors, {text: cut(event.message), source: cut(event.filename), line: event.lineno, column: event.colno,
                       stack: cut(event.error && event.error.stack)});
  });
  const words = reason => {
    if (reason instanceof Error) return cut(reason);
    try { return typeof reason === "object" ? cut(JSON.stringify(reason)) : cut(reason); } catch { return cut(reason); }
  };
  addEventListener("unhandledrejection", event => {
    setTimeout(() => {
      if (!event.defaultPrevented)
        keep(seen.rejections, {text: words(event.reason), stack: cut(event.reason && event.reason.stack)});
    });
  });
  addEventListener("securitypolicyviolation", event => {
    if (event.disposition === "enforce") keep(seen.blocked, {url: cut(event.blockedURI), by: cut(event.effectiveDirective)});
  });
  const watch = (type, take) => {
    try { new PerformanceObserver(list => list.getEntries().forEach(take)).observe({type, buffered: true}); } catch {}
  };
  watch("largest-contentful-paint", entry => { seen.lcp = entry.startTime; });
  watch("layout-shift", entry => { if (!entry.hadRecentInput && seen.shifts.length < 500)
    seen.shifts.push([entry.startTime, entry.value]); });
  watch("longtask", entry => { if (seen.tasks.length < 500) seen.tasks.push([entry.startTime, entry.duration]); });
})()"""

#: What a policy of the page (CSP) kept from being asked for: the list of requests has it waiting for ever.
BLOCKED = """() => ({blocked: (window.__debugtui_seen || {}).blocked || []})"""

COLLECT = """() => {
  const cut = value => String(value || "").slice(0, 2000);
  const [nav] = performance.getEntriesByType("navigation");
  const [fcp] = performance.getEntriesByName("first-contentful-paint");
  const time = entry => ({url: cut(entry.name), kind: entry.initiatorType, start: entry.startTime, ms: entry.duration,
    sent: entry.requestStart, first: entry.responseStart, size: entry.transferSize, status: entry.responseStatus});
  return {
    url: cut(location.href), title: cut(document.title), origin: performance.timeOrigin, now: performance.now(),
    icon: !!document.querySelector("link[rel~=icon]"),
    nav: nav ? {...time(nav), dcl: nav.domContentLoadedEventEnd, load: nav.loadEventEnd} : null,
    fcp: fcp ? fcp.startTime : null, seen: window.__debugtui_seen || null,
    resources: performance.getEntriesByType("resource").slice(0, 1000).map(time),
  };
}"""

#: Seconds without a long task after which a page counts as interactive (web.dev, "Time to Interactive").
_QUIET_MS = 5000.0


def interactive(fcp: float | None, dcl: float | None, tasks: Sequence[tuple[float, float]], until: float) -> float | None:
    """Return the time to interactive in milliseconds: an approximation of web.dev's definition.

    It is the end of the last long task before the first quiet window of five seconds after the first contentful paint, and not
    before the document's own scripts have run. Two simplifications: requests under way do not disturb the quiet, and where
    watching ended before five quiet seconds were over, those that were seen must do.

    Args:
        fcp: the first contentful paint; None: nothing was painted, so nothing can be said.
        dcl: the end of DOMContentLoaded; None or 0: not reached.
        tasks: begin and length of each task over 50 ms.
        until: when watching ended.
    """
    if fcp is None:
        return None
    end = fcp
    for start, length in sorted(tasks):
        if start >= until or start - end >= _QUIET_MS:
            break
        end = max(end, start + length)
    return max(end, dcl or 0.0)


def layout_shift(shifts: Sequence[tuple[float, float]]) -> float:
    """Return the cumulative layout shift: the worst window of shifts under 1 s apart, 5 s long at most (web.dev, CLS)."""
    worst = total = 0.0
    began = last = float("-inf")
    for at, value in sorted(shifts):
        if at - last >= 1000.0 or at - began >= 5000.0:
            began, total = at, 0.0
        total += value
        last = at
        worst = max(worst, total)
    return worst
