"""Names of persons in Latin letters: titles, labels, introductions, known given names with a family name."""

from __future__ import annotations

import re
from collections.abc import Iterator

from gateway.guardrails.detectors.names import latin_family, latin_given, romaji_name
from gateway.guardrails.view import Hit, View

_WORD = r"(?:(?:O|D|L|Mc|Mac|Al-|El-|al-|el-)['’]?)?[A-ZÀ-ÞĀ-Ž][a-zà-ÿā-žḀ-ỿ]+(?:[-'’][A-ZÀ-Þ]?[a-zà-ÿā-žḀ-ỿ]+)*"
_LINK = r"(?:\s(?:van der|van den|van|von|der|de la|de los|del|de|da|dos|di|du|la|le|bin|binti|ibn|al|el|ter|ten|Thi|Van|Ngoc))"
_NAME = rf"{_WORD}(?:\s[A-Z]\.)?(?:{_LINK}?\s{_WORD}){{0,3}}"
_CAPS = r"[A-Z]{2,}(?:[ -][A-Z]{2,}){1,2}"

_TITLE = re.compile(
    rf"(?<![A-Za-z])(?:Mr|Mrs|Ms|Miss|Mx|Dr|Prof|Professor|Sir|Dame|Madam|Rev|Hon|Judge|Attorney|Doctor|Captain|Capt|Lt|Sgt|Father|Sister)\b\.?\s(?P<name>{_NAME})"
)
_LABEL = re.compile(
    rf"(?<![A-Za-z])(?:(?i:(?:full |first |last |customer |client |patient |employee |applicant |contact |account |card ?)?(?:holder|name|names|person)|patient|attn|attention|contact(?: person)?|"
    rf"signed by|signed|attendees?|participants?|present|absent|from|to|cc|bcc|author|owner|assignee|reviewer|reviewed by|approved by|prepared by|written by|reported by|caller|customer|client|applicant|insured(?: person)?|"
    rf"beneficiary|borrower|guarantor|tenant|landlord|employee|manager|supervisor|representative|agent|witness|account holder|cardholder|policy ?holder|interpreter|speaker|chair(?:man|woman|person)?|secretary))\s?[:=]\s?[\"']?(?P<name>{_WORD}, {_WORD}(?:\s[A-Z]\.)?|{_NAME}|{_CAPS})"
)
_HOLDER = re.compile(rf"(?:[Cc]ard ?holder|[Aa]ccount holder|[Pp]assenger|[Tt]raveller|[Hh]older|[Aa]pplicant|[Ii]nsured|[Nn]ame)\s(?:is\s)?(?P<name>{_CAPS}|{_WORD}\s{_WORD})(?![a-z])")
_INTRO = re.compile(
    rf"(?<![A-Za-z])(?i:my name is|name is|i am called|call me|this is|i'm|i am|it's|speaking with|speak to|spoke (?:with|to)|talked to|talk to|met with|meet with|ask|ask for|please ask|contact|email|call|ping|cc|notify|inform|tell|thank you,?|thanks,?|thanks to|dear|hi|hello|hey|regards,?|sincerely,?|"
    rf"best,?|cheers,?|yours,?|faithfully,?|truly,?|love,?|signed by|caller|employee|customer|client|patient|colleague|applicant|witness|manager|named|by|with|from|for|and|to)[\s,]\s*(?P<name>{_NAME})"
)
_STRONG_INTRO = re.compile(r"\A(?:my name is|name is|call me|caller|employee|customer|client|patient|colleague|applicant|witness|named|dear|signed by)", re.IGNORECASE)
_CANDIDATE = re.compile(rf"(?<![A-Za-z0-9@._/&-])(?P<name>{_NAME})(?![A-Za-z0-9_@])")
_CAPS_CANDIDATE = re.compile(rf"(?<![A-Za-z0-9@._/&-])(?:{_CAPS}|[A-Z]{{2,}},? [A-Z][a-z]+|[A-Z][a-z]+ [A-Z]{{2,}})(?![A-Za-z0-9_@-])")
_INITIAL = re.compile(rf"(?<![A-Za-z0-9.@_/&-])[A-Z]\.\s?(?:[A-Z]\.\s?)?(?P<last>{_WORD})(?![A-Za-z0-9_@])")
_SAN = re.compile(rf"(?<![A-Za-z])(?P<name>{_WORD})(?=-(?:san|sama|kun|chan|sensei)\b)")
_POSSESSIVE = re.compile(r"['’]s\Z")
_FIRM = re.compile(
    r"\s?(?:&|and\s(?:Sons|Co|Partners|Associates|Company)|,?\s?(?:Inc|LLC|Ltd|Corp|Co|PLC|plc|GmbH|AG|SA|KK|K\.K|LLP|LP)\b|"
    r"(?:\s?[A-Z][a-z]+){0,2}\s(?:Bank|Group|Holdings|Partners|Capital|Securities|Insurance|Company|Corporation|Industries|Motors|Electric|Foundation|University|College|School|Hospital|Institute|"
    r"Hotel|Airport|Station|Street|Road|Avenue|Park|Bridge|Tower|Building|Hall|Center|Centre|County|City|Island|Islands|River|Lake|Mountain|Bay|Beach|Airlines|Airways|Stores|Foods|"
    r"Controls|Software|Systems|Technologies|Solutions|Services|Associates|Consulting|Award|Prize|Act|Plan|Cup|Museum|Gallery|Theatre|Theater|Library|Stadium|Arena|Church|Cathedral|"
    r"Reserve|Fund|Trust|Index|Rate|Effect|Law|Theorem|Method|Test|Model|Protocol|Street|Lane|Drive|Square|Yards|House|Castle|Garden|Gardens|Farm|Farms|Valley|Hills|Heights|Beach|Project|Plant|Office|Stanley|Sachs|"
    r"Fargo|Schwab|McKenzie|Lynch|Chase|Suisse|Brothers|Works|Press|Times|Post|Journal|Media|Studios|Pictures|Records|Labs|Laboratories|Pharma|Pharmaceuticals|Energy|Oil|Steel|Airlines)\b)"
)
_BRANDS = frozenset(
    ("Charles Schwab,Baker McKenzie,Morgan Stanley,Ralph Lauren,Calvin Klein,Tommy Hilfiger,Louis Vuitton,Hugo Boss,Jack Daniels,Johnnie Walker,Mary Kay,Estee Lauder,Eli Lilly,"
     "John Deere,Oscar Mayer,Sara Lee,Merrill Lynch,Edward Jones,Raymond James,Franklin Templeton,Rolls Royce,Alfa Romeo,Harley Davidson,Aston Martin,Philip Morris,Ernst Young,"
     "Thomas Cook,Thomson Reuters,Paul Weiss,Clifford Chance,Allen Overy,Norton Rose,Kirkland Ellis,Marsh McLennan,Jones Lang,Dun Bradstreet,Abercrombie Fitch,Wells Fargo").split(",")
)
# Words that begin sentences or things and are also names.
_WORDS = frozenset(
    "april art bill bob bush chance chase christian clay cliff constance crystal daisy dale dawn dean dollar don drew duke earl eve faith fern ford frank gene "
    "georgia glen grace grant guy harmony hazel heath holly hope hunter iris ivy jack jade jasmine jay jean jewel joy june king lance laurel lee lily lane "
    "long major marina mark marsh mason may mercy miles ming minh nick noel olive page pat patience pearl penny pepper piper rae ray reed rich rob robin rose "
    "rosemary ruby rusty sandy scarlet sky sol son star stone sterling stone summer sunny sydney tad tan terry tiffany tim trinity van victor victoria viola violet virginia "
    "wade ward will willow wolf wood woods young austin paris london lincoln madison florence jordan israel china india kenya brooklyn dallas houston phoenix savannah "
    "charlotte jackson washington morgan carter taylor logan parker hudson tyler cooper baker carpenter cook fisher gardener mason miller porter potter shepherd smith "
    "turner walker weaver black brown gray green white day english french german irish church field fields hill hall marsh banks bond price rice sharp short small "
    "strong swift wise best love moon case cash cross mann major general media max min sum long nova sung tung thu thi son hai hao hoa long lan ping ying yong "
    "tuan hue nam van ha li xin jun jian kai ali ken mai rei ran ai mei yuki sora hana haru sakura midori aoi kei jin ren rin".split()
)
_STARTERS = frozenset(
    "The This That These Those There Then They We You He She It Its In On At By For From To And Or But If When While After Before With Without Our Your My His Her Their All Any Some "
    "Each Every No Not As Is Are Was Were Be Do Does Did Have Has Had Can Could May Might Must Shall Should Will Would Please Thank Thanks Dear Hi Hello Hey Best Kind Regards "
    "Re Subject Date Time Note Also However Therefore Meeting Monday Tuesday Wednesday Thursday Friday Saturday Sunday January February March April May June July August "
    "September October November December Japan Tokyo Osaka Kyoto Japanese English American Customer Client Account Bank Card Number Name Address Phone Email Order Invoice "
    "Contact Employee Patient Manager Director President Team Office Company Department Section Chapter Table Figure Page Part New Old First Last Next Previous Call Send "
    "Ship Attn Reach Caller Calls Server Room Level Building Floor Street Road Passport Driver License Health Insurance Member Basic Pension Corporate Individual My Number "
    "Dr Mr Mrs Ms Prof Sir Madam Sales Revenue Version Release Internal External Data Policy System Service Project Plan Report Review Summary Minutes Agenda Action".split()
)


def _cut(name: str) -> str:
    """The name without sentence words at either end."""
    words = name.split()
    while words and words[0] in _STARTERS:
        words = words[1:]
    while words and words[-1] in _STARTERS and len(words) > 1:
        words = words[:-1]
    return " ".join(words)


def _place(view: View, match: re.Match[str]) -> tuple[int, int, str]:
    name = _cut(_POSSESSIVE.sub("", match["name"]))
    start = match.start("name") + match["name"].find(name) if name else match.start("name")
    return start, start + len(name), name


def _firm(view: View, end: int) -> bool:
    return _FIRM.match(view.text, end) is not None


def detect(view: View) -> Iterator[Hit]:
    if not re.search(r"[A-Z][A-Za-z]", view.text):
        return
    yield from _cued(view)
    yield from _known(view)


def _cued(view: View) -> Iterator[Hit]:
    for pattern, rule, confidence in ((_TITLE, "person_en.title", 0.92), (_SAN, "person_en.san", 0.88)):
        for match in pattern.finditer(view.text):
            start, end, name = _place(view, match)
            if name and not _firm(view, end):
                yield Hit(start, end, "PERSON", rule, confidence)
    for match in _LABEL.finditer(view.text):
        start, end, name = _place(view, match)
        if name and not _firm(view, end) and (_plausible(name) or re.search(r"(?i)name|holder", match[0].split(match["name"])[0])):
            yield Hit(start, end, "PERSON", "person_en.label", 0.88)
    for match in _HOLDER.finditer(view.text):
        start, end, name = _place(view, match)
        words = name.split()
        if len(words) >= 2 and not _firm(view, end) and any(latin_given(w) or latin_family(w) for w in words):
            yield Hit(start, end, "PERSON", "person_en.holder", 0.86)
    for match in _INTRO.finditer(view.text):
        start, end, name = _place(view, match)
        strong = _STRONG_INTRO.match(match[0]) is not None
        if name and not _firm(view, end) and (_introduced(name, strong) or (strong and _uncommon(name))):
            yield Hit(start, end, "PERSON", "person_en.intro", 0.82)


def _known(view: View) -> Iterator[Hit]:
    for match in _CANDIDATE.finditer(view.text):
        start, end, name = _place(view, match)
        if not name or _firm(view, end) or _firm_inside(name):
            continue
        words = [word for word in name.split() if not word.endswith(".")]
        if len(words) >= 2 and _pair(words) and name not in _BRANDS:
            yield Hit(start, end, "PERSON", "person_en.full", 0.84)
        elif len(words) == 1 and latin_given(name) and len(name) >= 3 and name.lower() not in _WORDS and _human(view, start, end):
            yield Hit(start, end, "PERSON", "person_en.given", 0.66)
    for match in _INITIAL.finditer(view.text):
        if latin_family(match["last"]) and match["last"].lower() not in _WORDS and not _firm(view, match.end()):
            yield Hit(*match.span(), "PERSON", "person_en.initial", 0.74)
    for match in _CAPS_CANDIDATE.finditer(view.text):
        words = re.split(r",? |-", match[0])
        if all(latin_given(word) or latin_family(word) for word in words) and any(latin_given(word) for word in words):
            yield Hit(*match.span(), "PERSON", "person_en.capitals", 0.8)


def _pair(words: list[str]) -> bool:
    """A given name beside a family name; ordinary words need both sides to be known."""
    first, last = words[0].split("-")[0], words[-1]
    ordinary = first.lower() in _WORDS
    if latin_given(first) and (latin_family(last) or not ordinary):
        return last not in _STARTERS
    return latin_family(first) and latin_given(last) and (romaji_name(first) or romaji_name(last) or not ordinary)


def _plausible(name: str) -> bool:
    words = name.split()
    if len(words) >= 2:
        return any(latin_given(w) or latin_family(w) for w in words) and _uncommon(name)
    return (latin_given(name) or latin_family(name)) and name.lower() not in _WORDS


def _introduced(name: str, strong: bool) -> bool:
    words = name.split()
    return _plausible(name) if strong or len(words) == 1 else _pair(words) and name not in _BRANDS


def _uncommon(name: str) -> bool:
    return not all(word in _STARTERS or word.lower() in _WORDS for word in name.split()) or len(name.split()) > 1


def _firm_inside(name: str) -> bool:
    words = name.split()
    return any(_FIRM.match(" " + " ".join(words[i:])) for i in range(1, len(words)))


_HUMAN_RIGHT = re.compile(
    r"(?:['’]s\b|,|\s(?:here|and|will|would|said|says|asked|is|was|has|had|can|could|called|wrote|agreed|confirmed|reported|told|sent|joined|left|works?|lives?|needs?|wants?|took|made|gave|"
    r"reviewed|approved|presented|suggested|mentioned|explained|noted|does|did|may|should|who|from|to|at|in)\b|[.)!?\n]|\Z|[はがをにともへの、。])"
)
_HUMAN_LEFT = re.compile(r"(?:\A|[\n(「、,:@]\s?|\b(?:and|by|with|from|to|for|ask|tell|thank|thanks|hi|hello|dear|cc|per|that|when|if|but|as|because|so|of)\s|[.!?]\s)\Z", re.IGNORECASE)


def _human(view: View, start: int, end: int) -> bool:
    """A given name alone: where a person would stand in the sentence."""
    return _HUMAN_RIGHT.match(view.text, end) is not None and _HUMAN_LEFT.search(view.text[max(0, start - 10) : start]) is not None
