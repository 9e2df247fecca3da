"""Where a registry's list goes on, by the `Link` of its last page."""

from __future__ import annotations

import re
from dataclasses import replace
from urllib.parse import urljoin, urlsplit

from tasks._errors import RegistryInvalid
from tasks._registry_calls import Call
from tasks._registry_http import Answer, shown_url

_LINK = re.compile(r"""<(?P<url>[^>]*)>(?P<parameters>[^<]*)""")
_NEXT = re.compile(r"""(?:^|;)\s*rel\s*=\s*(?:"(?:[^"]*\s)?next(?:\s[^"]*)?"|next(?=\s*(?:[;,]|$)))""", re.I)


def next_page(answer: Answer, call: Call) -> Call | None:
    """Return the call for the page after this one; None after the last.

    Raises:
        RegistryInvalid: the next page is on another host, or is the same again.
    """
    for link in _LINK.finditer(answer.headers.get("Link", "")):
        if not _NEXT.search(link["parameters"]):
            continue
        try:
            parts = urlsplit(urljoin(call.path, link["url"]))
        except ValueError:
            parts = urlsplit("")
        target = f"{parts.path}?{parts.query}"
        elsewhere = parts.netloc not in ("", call.repository.host)
        if elsewhere or not target.startswith("/") or target == call.path:
            raise RegistryInvalid(
                f"{call.repository} names {shown_url(link['url'])} as its next page, which is none.",
                remedy="Check the registry's configuration.",
            )
        return replace(call, path=target)
    return None
