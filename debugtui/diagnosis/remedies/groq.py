"""What answers faults of a use of the Groq API: by the class of the fault."""

from __future__ import annotations

from collections.abc import Iterator

from debugtui.diagnosis.explain import Root
from debugtui.diagnosis.surroundings import Surroundings
from debugtui.model.diagnosis import Offer

#: Two tries of 20 s: an answer within 40 s, or none. Two calls at a time: what a limit leaves is shared out.
_TIMEOUTS = (("timeout", "20"), ("retries", "1"))
_CONCURRENCY = (("concurrency", "2"),)

_KEY, _MODEL, _LIMIT, _WAIT = "groq.rotate_key", "groq.switch_model", "groq.limit_concurrency", "groq.set_timeouts"

_BY_RULE: dict[str, tuple[str, ...]] = {
    "groq_authentication": (_KEY,),
    "groq_permission": (_KEY, _MODEL),
    "groq_no_model": (_MODEL,),
    "groq_model_not_listed": (_MODEL,),
    "groq_rate_limited": (_LIMIT, _MODEL),
    "groq_headroom_requests": (_LIMIT,),
    "groq_headroom_tokens": (_LIMIT,),
    "groq_capacity": (_LIMIT, _MODEL),
    "groq_timeout": (_WAIT, _MODEL),
    "groq_slow_first_token": (_WAIT, _MODEL),
    "groq_first_token": (_WAIT, _MODEL),
    "groq_stalled": (_WAIT, _MODEL),
    "groq_slow": (_WAIT, _MODEL),
    "groq_latency": (_WAIT, _MODEL),
    "groq_server": (_WAIT, _MODEL),
    "groq_cut": (_WAIT, _MODEL),
    "groq_stream_error": (_WAIT, _MODEL),
    "groq_incomplete": (_WAIT, _MODEL),
}
#: What the application's own calls fail with most, where our probe goes well.
_BY_MOST: dict[str, str] = {
    "authentication": "groq_authentication",
    "permission": "groq_permission",
    "no model": "groq_no_model",
    "rate limited": "groq_rate_limited",
    "capacity": "groq_capacity",
    "timeout": "groq_timeout",
    "server error": "groq_server",
}


def offers(root: Root, around: Surroundings) -> Iterator[Offer]:
    """Yield what answers the fault."""
    cause = root.cause
    rule = _BY_MOST.get(cause.fact("most"), "") if cause.rule == "groq_application" else cause.rule
    for name in _BY_RULE.get(rule, ()):
        params = {_WAIT: _TIMEOUTS, _LIMIT: _CONCURRENCY}.get(name, ())
        yield Offer(name, cause.target, params)
