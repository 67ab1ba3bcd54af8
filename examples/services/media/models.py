"""What media returns and refuses."""

from typing import NotRequired, TypedDict


class Thumbnail(TypedDict):
    """A small picture of a picture."""

    url: str
    source: str
    width: int
    height: int


class Album(TypedDict):
    """Thumbnails in one file."""

    name: str
    pictures: int
    pixels: int
    cover: NotRequired[Thumbnail]


class Video(TypedDict):
    """A video that was transcoded."""

    url: str
    steps: int


class UnsupportedFormat(Exception):
    """Media does not know the format of the file: its url."""
