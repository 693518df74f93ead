"""The report: one self-contained page of a run or a comparison, as HTML or Markdown.

`content` holds what a page says, `build` makes it from results, `html` and `markdown` write it out.
"""
