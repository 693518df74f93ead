"""A page as Markdown, for a wiki or a pull request; the figures stay files beside it."""

from collections.abc import Iterator

from reports.page.content import DataTable, Fact, Item, Page, Picture, Section


def as_markdown(page: Page) -> str:
    """The whole file."""
    return "\n".join([*_lines(page), ""])


def _lines(page: Page) -> Iterator[str]:
    yield from (
        f"# {_plain(page.headline)}",
        "",
        _plain(page.reason),
        "",
        f"*{_plain(page.about)}*",
        "",
    )
    yield from ("| | | |", "| --- | --- | --- |")
    yield from map(_fact, page.facts)
    yield ""
    if page.picture is not None:
        yield from _picture(page.picture)
    if page.commands:
        yield from ("The same again:", "", "```sh", *page.commands, "```", "")
    else:
        yield from (page.no_command, "")
    for section in page.sections:
        yield from _section(section)
    yield f"*{_plain(page.made_by)}*"


def _fact(fact: Fact) -> str:
    command = f" `{fact.command}`" if fact.command else ""
    return (
        f"| {_cell(fact.term)} | **{_cell(fact.value)}** | {_cell(fact.detail)}{_bars(command)} |"
    )


def _section(section: Section) -> Iterator[str]:
    yield from (f"## {_plain(section.title)}", "")
    if section.text:
        yield from (_plain(section.text), "")
    for table in section.tables:
        yield from _table(table)
    for group in section.groups:
        if group.title:
            yield from (f"### {_plain(group.title)}", "")
        yield from map(_item, group.items)
        yield ""
    for picture in section.pictures:
        yield from _picture(picture)


def _table(table: DataTable) -> Iterator[str]:
    yield from (f"{_plain(table.caption)}:", "")
    yield f"| {' | '.join(map(_cell, table.headers))} |"
    yield f"| {' | '.join('---' for _ in table.headers)} |"
    for row in table.rows:
        cells = [
            f"**{_cell(cell.text)}** ({cell.mark})" if cell.mark else _cell(cell.text)
            for cell in row
        ]
        yield f"| {' | '.join(cells)} |"
    yield ""


def _item(item: Item) -> str:
    return f"- {_plain(item.text)}" + (f" (`{item.basis}`)" if item.basis else "")


def _picture(picture: Picture) -> Iterator[str]:
    alt = _plain(picture.finding).replace("[", "(").replace("]", ")")
    yield from (f"![{alt}]({picture.file})", "", f"*{_plain(picture.caption)}*", "")


def _plain(text: str) -> str:
    """Text in which nothing is taken for markup."""
    for character in "\\`*_<[":
        text = text.replace(character, f"\\{character}")
    return text


def _cell(text: str) -> str:
    return _bars(_plain(text))


def _bars(text: str) -> str:
    return text.replace("|", "\\|")
