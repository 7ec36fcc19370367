"""Of a web page its text is read, and not what is around it."""

import pytest

from pipeline.passages.web import declared_encoding, page_text


@pytest.mark.parametrize(
    ("page", "text"),
    [
        ("<p>One.</p><p>Two &amp; three.</p>", "One.\n\nTwo & three."),
        ("<h1>Oaks</h1><p>Tall\n  trees.</p><h2>Bark</h2>Grey.", "# Oaks\n\nTall trees.\n\n## Bark\n\nGrey."),
        (
            "<html><head><title>Oaks</title><style>p {}</style></head><body><p>Tall.</p></body></html>",
            "# Oaks\n\nTall.",
        ),
        ("<title>Site | Oaks</title><h1>Oaks</h1><p>Tall.", "# Oaks\n\nTall."),
        ("<nav><a href=/>Home</a></nav><p>Text.</p><footer>Imprint</footer>", "Text."),
        ("<div role=navigation><ul><li>Home</ul></div><main>Text.</main><aside>Ad</aside>", "Text."),
        ("<p>Before<script>var a = '<p>no</p>';</script> after.</p>", "Before after."),
        ("<p>Before<!-- no --> after.</p><noscript>Turn it on</noscript>", "Before after."),
        ("<ul><li>one<li>two</ul>", "- one\n- two"),
        ("<table><tr><th>a<th>b</tr><tr><td>1</td><td>2</td></tr></table>", "a | b\n1 | 2"),
        ("<p>Run:</p><pre>if a:\n    b()</pre>", "Run:\n\n```\nif a:\n    b()\n```"),
        ("<p>one<br>two</p>", "one\ntwo"),
        ("<nav>All of it, and never closed<p>Text.", "All of it, and never closed\n\nText."),
        ("<svg><title>icon</title><path/></svg><p>Text.", "Text."),
        ("<p hidden>No</p><p>Yes <b>in</b>deed</p>", "Yes indeed"),
        ("<button><img src=x>Menu</button><p>Text.", "Text."),
        ("just words", "just words"),
        ("", ""),
        ("<script>only()</script>", ""),
        ("<p>1 < 2 & 3 > 2", "1 < 2 & 3 > 2"),
        ("</p></div><p>Text.", "Text."),
    ],
)
def test_a_page_gives_its_headings_and_paragraphs(page, text):
    assert page_text(page) == text


@pytest.mark.parametrize(
    ("head", "encoding"),
    [
        (b'<meta charset="Windows-1251">', "Windows-1251"),
        (b'<META http-equiv="Content-Type" content="text/html; charset=iso-8859-2">', "iso-8859-2"),
        (b'<?xml version="1.0" encoding="latin-1"?>', "latin-1"),
        (b"<p>charset=no</p>", ""),
    ],
)
def test_the_encoding_a_page_declares_is_found(head, encoding):
    assert declared_encoding(head) == encoding
