"""What the network tells: sockets, addresses, names."""

from __future__ import annotations

from collections.abc import Sequence, Set

from debugtui.diagnosis.runbooks.allow.program import (
    ADDRESS,
    NAME,
    Program,
    like,
    number,
    one_of,
)
from debugtui.diagnosis.runbooks.allow.words import ENDLESS, flags, valued

_IP_OBJECTS = ("addr", "address", "link", "route", "neigh", "neighbour", "rule")


def _ip_words(words: Sequence[str], seen: Set[str]) -> str | None:
    if words[0] not in _IP_OBJECTS:
        return f"only {', '.join(_IP_OBJECTS)} are shown, by their whole names"
    verbs = ("show", "list", "get") if words[0] == "route" else ("show", "list")
    if len(words) > 1 and words[1] not in verbs:
        return f"only {' and '.join(verbs)} may follow: other words change the network"
    return None


def _getent_words(words: Sequence[str], seen: Set[str]) -> str | None:
    return one_of("hosts", "ahosts", "ahostsv4", "ahostsv6", "services")(words[0])


PROGRAMS = (
    Program(
        "ss",
        "sockets: who listens, who is connected, what queues",
        flags(
            "t u x l n p a s 4 6 i m o e H w O",
            "tcp udp unix listening numeric processes all summary ipv4 ipv6 info memory options extended no-header raw oneline",
        ),
        valued(f=NAME, family=NAME),
        word=like(r"[\w.:=<>!*/\[\]%()-]{1,100}", "part of a filter such as state established or sport = :443"),
        most=12,
        not_this={
            **dict.fromkeys(("-K", "--kill"), "it ends connections"),
            **dict.fromkeys(("-D", "--diag"), "it writes a file"),
            **dict.fromkeys(("-F", "--filter"), "it reads a file"),
            **dict.fromkeys(("-E", "--events"), ENDLESS),
        },
    ),
    Program(
        "ip",
        "addresses, links, routes",
        frozenset({"-s", "-o", "-4", "-6", "-br", "-brief", "-d", "-j", "-stats", "-oneline"}),
        word=like(r"[\w.:/@-]{1,100}", "a name or an address"),
        least=1,
        most=8,
        words=_ip_words,
        not_this={
            **dict.fromkeys(("-b", "-batch"), "it runs commands of a file"),
            **dict.fromkeys(("-n", "-netns"), "it runs in another namespace"),
        },
    ),
    Program(
        "getent",
        "what a name resolves to on the host",
        word=like(r"[\w.:-]{1,200}", "a name"),
        least=2,
        most=2,
        words=_getent_words,
    ),
    Program(
        "dig",
        "what a name server answers",
        frozenset({"-4", "-6"}),
        {"-t": NAME, "-p": number(65_535, least=1), "-x": ADDRESS},
        word=like(
            r"@?[\w.:-]{1,250}|\+(?:short|stats|answer|noall|tcp|norecurse|dnssec|ttlid|comments|time=[1-9]|tries=[1-3])",
            "a name, a type, @SERVER or one of +short +noall +answer +stats +tcp +norecurse +time=N +tries=N",
        ),
        most=8,
        not_this={"-f": "it reads names from a file", "-k": "it reads a key", "-y": "it holds a key"},
    ),
    Program(
        "ping",
        "whether an address answers, and how fast",
        flags("n q 4 6"),
        valued(c=number(5, least=1), W=number(5, least=1), w=number(10, least=1)),
        word=ADDRESS,
        least=1,
        most=1,
        needs=((flags("c"), f"{ENDLESS} else"),),
        not_this={"-f": "it floods", "-i": "the pace is a second", "-s": "the size is the usual one"},
    ),
)
