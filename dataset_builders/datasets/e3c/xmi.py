"""Read one E3C document from its UIMA CAS XMI file (WebAnno export).

Offsets upstream are UTF-16 code units: they are turned into Python characters here, so that a character outside
the basic plane (IT101195 has one) shifts nothing. Carriage returns of the text are kept, as offsets count them.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass, field

from lxml import etree

from ita_med.borrowed.lxml_inside import XmlElement
from ita_med.errors import DataError

MENTION_TYPES = ("CLINENTITY", "EVENT", "ACTOR", "BODYPART", "TIMEX3", "RML")
LINK_ATTRIBUTES = {"EVENT": ("TLINK", "ALINK"), "RML": ("PERTAINSTO",), "TIMEX3": ("timexLink",)}
LINK_TYPES = ("EVENTTLINKLink", "EVENTALINKLink", "RMLPERTAINSTOLink", "TIMEX3TimexLinkLink")

CUSTOM = "{http:///webanno/custom.ecore}"
XMI_ID = "{http://www.omg.org/XMI}id"
SOFA = "{http:///uima/cas.ecore}Sofa"
SENTENCE = "{http:///de/tudarmstadt/ukp/dkpro/core/api/segmentation/type.ecore}Sentence"
_MENTION_TAGS = tuple(CUSTOM + name for name in MENTION_TYPES)
_LINK_TAGS = tuple(CUSTOM + name for name in LINK_TYPES)


@dataclass(slots=True)
class XmiMention:
    """An annotation; `sentence` is the index of the one sentence that holds it; `attributes` as upstream."""

    xmi_id: str
    type: str
    start: int
    end: int
    sentence: int
    attributes: dict[str, str]


@dataclass(slots=True)
class Link:
    """kind: TLINK, ALINK, PERTAINSTO or timexLink; source and target are indices into the document's mentions."""

    kind: str
    role: str
    source: int
    target: int


@dataclass(slots=True)
class XmiDocument:
    id: str
    text: str
    sentences: list[tuple[int, int]]
    mentions: list[XmiMention]
    links: list[Link]
    by_sentence: list[list[int]] = field(init=False)
    """Sentence -> indices of its mentions."""

    def __post_init__(self) -> None:
        self.by_sentence = [[] for _ in self.sentences]
        for n, mention in enumerate(self.mentions):
            self.by_sentence[mention.sentence].append(n)


def parse(content: bytes, path: str) -> XmiDocument:
    """Parse the bytes of one XMI file; `path` is for messages. Mentions come in text order."""
    name = path.rsplit("/", 1)[-1]
    root = _root(content, name)
    text = "".join(sofa.get("sofaString", "") for sofa in root.iterchildren(SOFA))
    if not text:
        raise DataError(f"e3c: {name} has no text (cas:Sofa@sofaString)")
    character = _utf16_to_character(text)
    sentences = sorted(_place(element, character, name) for element in root.iterchildren(SENTENCE))
    if sentences and sentences[-1][1] > len(text):
        raise DataError(f"e3c: {name}: a sentence ends at {sentences[-1][1]}, the text at {len(text)}; get it again")
    starts = [start for start, _ in sentences]
    mentions = []
    for element in root.iterchildren(*_MENTION_TAGS):
        start, end = _place(element, character, name)
        kind, sentence = element.tag.removeprefix(CUSTOM), bisect_right(starts, start) - 1
        mention = XmiMention(element.get(XMI_ID), kind, start, end, sentence, dict(element.attrib))
        _check(mention, text, sentences, name)
        mentions.append(mention)
    mentions.sort(key=lambda m: (m.start, m.end, m.type))
    return XmiDocument(name.removesuffix(".xml"), text, sentences, mentions, _links(root, mentions, name))


def _root(content: bytes, name: str) -> XmlElement:
    try:
        root = etree.fromstring(content, etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=False))
    except etree.XMLSyntaxError as error:
        raise DataError(f"e3c: {name} is not well-formed XML ({error.msg}); get the file again") from error
    if root.getroottree().docinfo.internalDTD is not None:
        raise DataError(f"e3c: {name} declares a document type, which E3C's files never do; get the file again")
    return root


def _place(element: XmlElement, character: Callable[[int], int], name: str) -> tuple[int, int]:
    """The element's begin and end, in characters."""
    try:
        element.attrib[XMI_ID]
        return character(int(element.attrib["begin"])), character(int(element.attrib["end"]))
    except (KeyError, ValueError) as error:
        what = f"{etree.QName(element).localname} {element.get(XMI_ID)}"
        raise DataError(f"e3c: {name}, {what}: begin, end or xmi:id is missing or no number ({error})") from error


def _links(root: XmlElement, mentions: list[XmiMention], name: str) -> list[Link]:
    """All links, in the order of their sources; a link to what is no mention is an error."""
    place = {mention.xmi_id: n for n, mention in enumerate(mentions)}
    targets = {link.get(XMI_ID): (link.get("role"), link.get("target")) for link in root.iterchildren(*_LINK_TAGS)}
    links = []
    for source, mention in enumerate(mentions):
        for kind in LINK_ATTRIBUTES.get(mention.type, ()):
            for link_id in mention.attributes.get(kind, "").split():
                role, target = targets.get(link_id, (None, None))
                if role is None or target not in place:
                    raise DataError(f"e3c: {name}, {mention.type} {mention.xmi_id}: {kind} {link_id} points to nothing")
                links.append(Link(kind, role, source, place[target]))
    return links


def _utf16_to_character(text: str) -> Callable[[int], int]:
    """A function from UTF-16 offsets to character offsets; offsets beyond the text come back as they are."""
    if max(text) <= "\uffff":
        return lambda offset: offset
    table = []
    for position, char in enumerate(text):
        table += [position] * (2 if char > "\uffff" else 1)
    table.append(len(text))
    return lambda offset: table[offset] if offset < len(table) else offset


def _check(mention: XmiMention, text: str, sentences: list[tuple[int, int]], name: str) -> None:
    """A mention is whole words inside one sentence; anything else means that its offsets are off."""
    start, end = mention.start, mention.end
    inside = mention.sentence >= 0 and 0 <= start < end <= sentences[mention.sentence][1]
    found = text[start:end]
    cut = inside and (
        (start > 0 and text[start - 1].isalnum() and found[0].isalnum())
        or (end < len(text) and text[end].isalnum() and found[-1].isalnum())
        or found != found.strip()
    )
    if not inside or cut:
        expected = "whole words" if inside else "a span inside one sentence"
        raise DataError(
            f'e3c: {name}, {mention.type} {mention.xmi_id}: span [{start}, {end}) reads "{found[:40]}", '
            f"expected {expected}; do the offsets count UTF-16 units of this very text?"
        )
