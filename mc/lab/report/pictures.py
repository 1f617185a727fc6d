"""The first figure of every run, small, inside the page as far as there is room."""

import logging
from base64 import b64encode
from io import BytesIO
from pathlib import Path

import pandas as pd
from PIL import Image

log = logging.getLogger(__name__)

THUMBNAIL = 0.37  # of a figure's size for print
ROOM = 2**20  # bytes of figures inside the page
REST = (
    "<p>The figures of the last {} runs are not inside this page, but read from the folders beside "
    "it.</p>"
)


def figures(runs: pd.DataFrame, output_dir: Path) -> str:
    """The figures as HTML; empty, if there is none.

    Args:
        runs: `tables.gather` of `output_dir`.
        output_dir: where their folders are.
    """
    html, inside, outside = [], 0, 0
    for folder in runs["folder"]:
        for path in sorted((output_dir / folder / "figures").glob("[!.]*.png"))[:1]:
            source = f"{folder}/figures/{path.name}"
            width = ""
            if inside < ROOM:
                try:
                    image = _thumbnail(path)
                except OSError as error:  # Pillow's too
                    log.warning("left out: %s, which is damaged (%s)", path, error)
                    continue
                source = f"data:image/png;base64,{image}"
                inside += len(image)
            else:
                outside += 1
                width = ' width="700"'
            html.append(
                f'<h3><a href="{folder}/" target="_blank">{folder}</a></h3>'
                f'<img src="{source}" alt="{path.stem} of {folder}" loading="lazy"{width} '
                'style="max-width: 100%">'
            )
    rest = [REST.format(outside)] if outside else []
    return "\n".join(["<h2>Figures</h2>", *rest, *html]) if html else ""


def _thumbnail(path: Path) -> str:
    """A small PNG of a figure, in base64."""
    with Image.open(path) as picture:
        width, height = picture.size
        picture.thumbnail((THUMBNAIL * width, THUMBNAIL * height))
        data = BytesIO()
        picture.convert("P", palette=Image.Palette.ADAPTIVE).save(data, "PNG")
    return b64encode(data.getvalue()).decode()
