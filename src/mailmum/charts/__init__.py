"""Counts to SVG: pure, so that pages, e-mail reports and `analyze --html` draw alike.

Geometry.  x is in percent of the width (or in buckets, inside a nested `svg` that stretches), y in
pixels.  So a chart fills any width, text keeps its size, and no script is needed.  All bars of one
series are one path: a week of hours in seven series costs some ten kilobytes.

Reading.  Every chart has a title and a description, and says in words what it shows.  Time without
data is hatched and said, never drawn as zero; a bucket that is not complete is drawn lighter.

Looks come from the stylesheet of the pages, by class; nothing here names a colour.  Text is escaped
wherever it goes in, and ids begin with what the caller gives, so that a page can hold many charts.
"""
