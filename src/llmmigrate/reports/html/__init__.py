"""Pages for a browser: one file each, without scripts and without anything from elsewhere.

`blocks` says what a page is made of, `forest` places intervals, `page.html.jinja` and `style.css` draw. All text is raw
until the template escapes it.
"""
