"""The inside of lxml: the class of its elements, which has no public name; used in annotations only."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from ita_med.borrowed import Borrowed

if TYPE_CHECKING:
    from lxml import etree

XmlElement: TypeAlias = "etree._Element"
ELEMENT = Borrowed("lxml", "lxml.etree:_Element", "type checks of our readers of XML fail; nothing is lost at run time")
BORROWED = (ELEMENT,)
