"""Client, needs, products and wishes from free prose: cue rules, for briefs without labels."""

from __future__ import annotations

import re

from apps.common.japanese.normalise import half_width, is_japanese
from apps.common.japanese.numbers import parse_number
from apps.proposals.brief.fields import SLIDES
from apps.proposals.brief.items import Collected, Item
from apps.proposals.brief.splitting import named, pieces, split_outside_brackets

_KIND = (
    r"(?:株式会社|有限会社|合同会社|合資会社|医療法人(?:社団|財団)?|社会福祉法人|社会医療法人|"
    r"学校法人|宗教法人|一般社団法人|一般財団法人|公益社団法人|公益財団法人|特定非営利活動法人|NPO法人|農業協同組合|㈱|㈲|\(株\)|（株）)"
)
_NAME = r"[一-鿿々ァ-ヺーA-Za-z0-9&・ぁ-んヴ]"
_CLIENTS_JA = [
    re.compile(rf"(?m)^\s*(?P<name>{_KIND}\s?{_NAME}{{1,24}}|{_NAME}{{1,24}}{_KIND})\s*(?:様|さま|御中)?\s*$"),
    re.compile(rf"(?P<name>{_KIND}\s?[ぁ-ん]{{2,8}}(?:[一-鿿々ァ-ヺー]{{1,16}}|(?=[\s　（(、。]|様|さま|御中|$)))"),
    re.compile(rf"(?P<name>{_KIND}\s?[一-鿿々ァ-ヺーA-Za-z0-9&・]{{1,24}})"),
    re.compile(rf"(?P<name>[一-鿿々ァ-ヺーA-Za-z0-9&・]{{1,24}}{_KIND})"),
    re.compile(
        r"(?P<name>[一-鿿々ァ-ヺーA-Za-z0-9&・]{1,20}(?:信用金庫|信用組合|製作所|工業|商事|商店|物産|建設|運輸|物流|病院|クリニック|大学|学園|ホールディングス|組合|電機|食品|製薬|化学|市|町))(?=様|さま|御中|殿|向け|は|の|への|に)"
    ),
    re.compile(rf"(?P<name>{_NAME}{{1,20}}?)(?:様|さま|御中|殿|さん(?=向け|へ|に|の|は|が))(?![々子])"),
]
_CLIENT_EN = re.compile(
    r"\b(?P<name>(?:[A-Z][\w&'-]*\s){0,5}[A-Z][\w&'-]*,?\s(?:Inc|Ltd|LLC|LLP|Corp|Corporation|Co-?operative|Co(?!-)|Company|PLC|plc|GmbH|AG|SA|K\.K|KK|Holdings|Group|Hospital"
    r"|Society|Association|Council|College|School"
    r"|University|Foundation|Manufacturing|Industries|Foods|Logistics|Partners|Systems|Pharma|Motors|Steel|Bank|Trust|Clinic)\b\.?)"
)
_GREETING = re.compile(r"^(?:お疲れ様|お世話|お客|皆|奥|関係各位|担当|各位|先方)")
_NEED_JA = re.compile(
    r"課題|前(?:の|比)[0-9.]+倍|足りなくな|困って|困り|悩|不安|心配|懸念|気がかり|頭が痛|ネック|負担|圧迫|足りな|不足|遅れ|遅い|滞|手間|煩雑|属人|老朽|高騰|減少|低下|悪化|伸び悩|[しりめえきせれべげいび](?<!み)たい(?!へん)"
    r"|きつい|厳し|苦し|赤字|落ち(?:た|て|込)|下が(?:って|った)|上が(?:って|った)|上振れ|値上がり|気に(?:され|して|なって)"
    r"|求め|必要|ニーズ|要望|検討し|目指|急務|できていない|できない|追いつかない|影響を受け|見直し|手作業|人手|後継者|リスク|ばらつ|ぶれ"
)
_REQUEST_JA = re.compile(
    r"提案書|提案資料|資料を|スライド|作って|作成して|まとめて|お願い|ください|提案(?:したい|する|します|予定)|ご提案|枚(?:程度|くらい|以内|で)|トーン|案内したい|紹介したい|持って(?:行|い)きたい|持参"
)
_COMPETITOR = re.compile(r"競合|他行|他社|相見積|コンペ|ライバル|competitor|rival", re.IGNORECASE)
_AIM = re.compile(r"\b(?:should|will|would|could|(?:is |are )?expected to)\s(?:then\s)?(?:drop|fall|come down|go down|shrink|rise|increase|cut|save|reduce|halve|shorten|improve)\b|\b(?:hopes?|aims?|targets?) (?:to|for|is)\b.*\d", re.IGNORECASE)
_TALKING_POINT = re.compile(r"話(?:を)?したい|説明したい|伝えたい")
_WRITER = re.compile(r"^(?P<who>[^。、]{2,14}の[一-鿿]{1,4})です。?$")
# A line that only names what banks and their partners sell, perhaps with its amount.
_OFFER = re.compile(
    r"^(?=.{2,40}$)[^。]*(?:融資|貸越|ローン|リース|予約|保証|信託|保険|ファクタリング|クラウド|サービス|システム|カード|"
    r"バンキング|投信|国債|ABL|DC|NISA|M&A|\b(?:loans?|leas(?:e|ing)|forwards?|hedging|cloud|cards?|insurance|services?|"
    r"software|accounts?)\b)[^。はがをにで]*$",
    re.IGNORECASE,
)
_NEED_EN = re.compile(
    r"\b(?:needs?|wants?|wish|struggl\w*|challeng\w*|problem\w*|pain|concern\w*|"
    r"risk\w*|burden|lack\w*|slow|manual\w*|difficult\w*|pressure|would like"
    r"|looking for|shortage|rising|delay\w*|expos\w*|volatil\w*|"
    r"inefficien\w*|ageing|aging|outdated|worr\w*|reduce|improve|shorten|complain\w*|still takes?|squeez\w*|too long|fell|dropped|losing|takes? (?:half a|a|two|three|\d+) (?:days?|hours?|weeks?)|plans? to|by hand|costs? (?:them|us|him|her))\b",
    re.IGNORECASE,
)
_REQUEST_EN = re.compile(
    r"\b(?:please|(?:I'm|I am|we are|we're|I'll be) (?:seeing|meeting|visiting)|deck|slides?|presentation|propose|offer|recommend|pitch|tone)\b",
    re.IGNORECASE,
)
_PRODUCT_JA = re.compile(
    r"(?P<what>[^。\n]+?)(?:の(?:導入|活用|利用|ご利用|採用|組み合わせ))?を(?:ご?提案|お勧め|おすすめ|勧め|案内|ご案内|紹介|ご紹介|売り込|クロスセル|持って(?:行|い)|持参)"
    r"|(?:提案|商品|サービス)(?:は|として)、?(?P<what2>[^。\n]+?)(?:です|を(?:想定|考え)|。|$)"
)
# 提案したいのはAとBの2つ: what follows is all products, however long.
_OFFER_IS = re.compile(
    r"(?:ご?提案|お勧め|おすすめ|ご?案内|ご?紹介)(?:し|させていただき)?(?:た|する|した)?い?(?:もの|商品|の)は、?(?P<what>[^。\n]+?)"
    r"(?:の(?:[2-9２-９二三四五両][つ点本件]|組み合わせ|セット))?(?:です|になります|を考えて.{0,6})?[。]?$"
)
_PRODUCT_EN = re.compile(
    (
        r"\b(?:propose|proposing|offer|offering|recommend|pitch|sell)\s+(?:them\s|to them\s|our\s|"
        r"the\s|a\s|an\s)*(?P<what>(?:\([^()\n]*\)|[^.;\n(]|\.(?=\d))+?)(?=\s(?:to|for|so|in order|with a deck|by)\b|[.;\n](?!\d)|$)"
    ),
    re.IGNORECASE,
)
_SLIDES = re.compile(
    r"(?P<n>[0-9]{1,3}|[一二三四五六七八九十]{1,3})\s?(?:枚|ページ|頁|スライド|slides?\b|pages?\b|-slide\b|-page\b)",
    re.IGNORECASE,
)
_AUDIENCE_JA = re.compile(
    r"(?P<who>(?:代表取締役|取締役|社長|会長|専務|常務|CFO|CEO|財務|経理|人事|経営|総務|情報|調達|購買|理事|院長|事務|工場|役員)[一-鿿ァ-ヺーA-Za-z・]{0,12}?(?:長|会|層|者|役|部|社長|様|陣|CFO|CEO)?)(?:様|さま)?(?:向け|に説明|への説明|に提示|が対象|が同席|が出席)"
)
_AUDIENCE_EN = re.compile(
    (
        r"\b(?:audience|presented to|present(?:ing)? to|for) (?:is |are |the |their )*(?P<who>(?:CFO|"
        r"CEO|COO|board|treasur\w+|finance (?:director|team|manager)|management|executives?)[\w ]{0,20}?)(?=[.,;\n]|$)"
    ),
    re.IGNORECASE,
)
_INDUSTRY_JA = re.compile(
    r"(?P<what>[一-鿿ァ-ヺー・]{1,12}(?:製造業|卸売業|小売業|建設業|運輸業|運送業|物流業|飲食業|サービス業|不動産業|(?<![作残営授事企操休創兼])業|メーカー|商社))(?:で|の|を営む|、|（|。|です|様)"
)
_BUDGET = re.compile(
    r"予算|費用は|月額|年額|手数料は|\bbudget|\bprice|\bfee of|\bcosts? (?!them|us|him|her)", re.IGNORECASE
)
_WHEN = re.compile(
    (
        r"(?:\d{1,2}月|来月|再来月|来期|年内|年度内|第[1-4一二三四]四半期|Q[1-4]).*(?:まで|開始|導入|"
        r"稼働|予定|契約|実行|スタート|リリース)|\b(?:by|from|start\w*|go[- ]live|in) (?:Q[1-4]|"
        r"January|February|March|April|May|June|July|August|September|October|November|December)\b"
    ),
    re.IGNORECASE,
)


def complete_from_prose(found: Collected, text: str) -> None:
    """Fill what labels have not given: ``prose`` (text without any heading) becomes needs, products or context."""
    prose = found.of("prose")
    found.items = [item for item in found.items if item.field != "prose"]
    for item in prose:
        _place(found, item)
    if not found.of("client") and (name := client_in(text)):
        found.items = [i for i in found.items if i.field != "context" or i.text.strip(" 　様。") != name]
        found.add("client", name, _line_of(text, name))
    if not found.of("products"):
        for item in [*prose, *found.of("context")]:
            for product in products_in(item.text):
                found.add("products", named("products", product), item.locator)
    if not found.of("needs"):
        _needs(found, prose)
    _left_needs(found)
    if len(found.of("needs")) < FEWEST_NEEDS:
        _needs_in_notes(found)
    _wishes(found, prose, text)


def _place(found: Collected, item: Item) -> None:
    """A sentence where it belongs; one that speaks of several dates as several lines."""
    name = _field_of_sentence(found, item.text)
    if name == "author" and (writer := _WRITER.match(item.text)):
        found.add(name, writer["who"], item.locator)
    elif name == "risks":
        found.add(name, caveat_in(item.text) or item.text, item.locator)
    elif name == "schedule":
        for part in pieces(name, as_step(item.text)):
            found.add(name, part, item.locator)
    else:
        found.add(name, item.text, item.locator)


_COURTESY = re.compile(
    (
        r"^(?:お疲れ様|おつかれ|お世話にな|よろしく|宜しく|ありがとう|"
        r"以上(?:です|、よろ)|Hi\b|Hello|Dear|Thanks|Thank you|Best regards)"
    ),
    re.IGNORECASE,
)


def _field_of_sentence(found: Collected, sentence: str) -> str:
    """Where a sentence of prose belongs when there are no headings."""
    if _COURTESY.match(sentence):
        return "request"
    if _WRITER.match(sentence):
        return "author"
    if caveat_in(sentence):
        return "risks"
    if _TALKING_POINT.search(sentence):
        return "context"
    if _COMPETITOR.search(sentence):
        return "comparison"
    if _AIM.search(sentence):
        return "effects"
    if _OFFER.match(sentence) and not client_in(sentence):
        return "products"
    japanese = is_japanese(sentence)
    request, need = (_REQUEST_JA, _NEED_JA) if japanese else (_REQUEST_EN, _NEED_EN)
    if request.search(sentence) and not (japanese and re.search("課題|困", sentence)):
        return "request"
    if _BUDGET.search(sentence) and re.search(r"\d", half_width(sentence)):
        return "cost"
    if need.search(sentence) and not found.of("labelled_needs"):
        return "prose_need"
    return "schedule" if _WHEN.search(sentence) else "context"


MOST_NEEDS = 5


def _needs(found: Collected, prose: list[Item]) -> None:
    """Sentences with a need cue become needs; labelled needs are never added to."""
    said = {i.text for i in prose or found.of("context")}
    cues = [i for i in found.items if i.field == "prose_need"]
    if not cues:
        cues = [i for i in found.items if i.field == "context" and _is_need(i.text)]
    if not cues:  # nothing says so in words: in a short note what is told of the client is the need
        told = [i for i in found.items if i.field == "context" and i.text in said and not _only_client(i.text)]
        cues, found.assumed_needs = told, bool(told)
        found.items = [i for i in found.items if i not in told]
    found.items = [i for i in found.items if i.field != "prose_need"]
    for item in cues[MOST_NEEDS:]:
        found.add("context", item.text, item.locator)
    for item in cues[:MOST_NEEDS]:
        for need in needs_in(item.text):
            for part in _AND_THAT.split(need):
                found.add("needs", part, item.locator)


FEWEST_NEEDS = 2  # with fewer, the notes on the client are looked through as well


def _needs_in_notes(found: Collected) -> None:
    """Notes about the client that sound like needs, where hardly any is told elsewhere."""
    for item in [i for i in found.of("context") if _is_need(i.text) and not _COURTESY.match(i.text)]:
        if len(found.of("needs")) <= FEWEST_NEEDS and len(item.text) <= 80:
            found.items.remove(item)
            for need in needs_in(item.text):
                found.add("needs", need, item.locator)


def _left_needs(found: Collected) -> None:
    """What sounds like a need beside those that are sure: as far as there is room a need too, else background."""
    for item in found.of("prose_need"):
        room = MOST_NEEDS - len(found.of("needs"))
        for text in needs_in(item.text) if room > 0 else [item.text]:
            found.add("needs" if room > 0 else "context", text, item.locator)
    found.items = [item for item in found.items if item.field != "prose_need"]


def _only_client(text: str) -> bool:
    """A line that names the client and says no more (さくら不動産さん向け)."""
    name = client_in(text)
    return (
        bool(name)
        and len(re.sub(r"様|さま|さん|御中|向け|への?|の件", "", text.replace(name, "")).strip(" 　。、")) < 3
    )


_CONNECTIVE = re.compile(
    r"^(?:また|さらに|加えて|なお|そのほか|その他|一方で?|特に|現在|"
    r"そして|それから|それと|それに|あわせて|併せて|ちなみに|実は|ほかに|他に|あと|Also|In addition|Moreover)[、,]?\s*"
)
_HEARSAY = re.compile(
    r"(?:とのことでした|とのことです|とのこと|そうです|と(?:聞いて|伺って|おっしゃって|言って|お聞きして|うかがって)(?:います|おります|いる|いました)"
    r"|らしいです|ようです|模様です)?[。.]?$"
)
_POLITE = (
    (r"(?:て|で)(?:います|おります|おられます|いらっしゃいます)$", "ている"),
    (r"(?<=い)です$|(?<=[一-鿿ァ-ヺー])です$", ""),
    (r"があります$", "がある"),
    (r"ありません$", "ない"),
    (r"(?<=い)とのことです$", ""),
    (r"になります$", "になる"),
    (r"かかります$", "かかる"),
    (r"なっています$", "なっている"),
)


_SAID_EN = re.compile(
    r"^(?:[A-Z][\w ]{0,30}?\s)?(?:complain\w*|said|says|mention\w*|told us|worr\w+|reported) that (?:the )?(?=\w)"
)
_AND_THAT = re.compile(r",? and that ")
_QUOTED = re.compile(r"^[^「]{0,16}「(?P<said>[^」]{6,})」と.{0,12}(?:気に|おっしゃ|言|話|心配|悩|嘆|こぼ)")
_STEP_TAIL = re.compile(r"(?:という|の)?(?:イメージ|想定|予定|見込み|感じ|つもり|流れ|段取り|スケジュール)(?:です|だ|で)?[。.]?$")


def as_step(sentence: str) -> str:
    """A sentence about timing as a line of a plan: from its first date on, without 〜というイメージです."""
    text = _STEP_TAIL.sub("", as_need(sentence)).strip(" 、。")
    return re.sub(r"^(?P<about>[^、。0-9]{2,12}?)(?:のほう|の方)?は、?(?=\d|[来今翌年])", r"\g<about>：", text)


def as_need(sentence: str) -> str:
    """A sentence of a mail or note as a plain statement: without connective, hearsay and polite ending."""
    if quoted := _QUOTED.match(sentence):
        sentence = quoted["said"]
    text = _HEARSAY.sub("", _CONNECTIVE.sub("", sentence.strip()))
    text = _SAID_EN.sub("", text)
    text = re.sub(r"(?<=[いたるだ])(?:そうで|とのことで|ということで|らしく)(?:すが|、ただ)?、", "、", text)  # hearsay inside
    for pattern, plain in _POLITE:
        text = re.sub(pattern, plain, text)
    text = text.strip(" 　。")
    return text if is_japanese(text) else text[:1].upper() + text[1:].rstrip(".")


_ABOUT_NEEDS = re.compile(
    r"^[^、。「」]{0,16}(?:お?悩み|課題|お?困りごと|心配事?|不安|関心事?|ニーズ|要望|問題(?:点|意識)?)(?:は|として(?:は)?)、?(?:主に|大きく)?(?:[2-9２-９二三四五][つ点]で、?)?"
)
_THAT = re.compile(r"(?<=[るいただぬ])(?:という)?(?:こと|点)(?:、|と、?)(?:それから|また|加えて|そして|さらに|もう(?:一つ|１つ|1つ)は)?、?")
_THAT_END = re.compile(r"(?<=[るいただぬ])(?:という)?(?:こと|点)(?:です|だ|の[2-9２-９二三四五][つ点](?:です)?)?[。]?$")


def needs_in(sentence: str) -> list[str]:
    """The needs one sentence tells: 悩みは、AすることとBすることです are two; most tell one."""
    about = _ABOUT_NEEDS.match(sentence)
    if about is None:
        return [as_need(sentence)]
    rest = sentence[about.end() :]
    if _THAT_END.search(rest):
        rest = _THAT_END.sub("", rest)
        return [as_need(part) for part in _THAT.split(rest) if part.strip(" 　、。")]
    return [as_need(rest)]


_SAY_SO = re.compile(
    r"^(?P<what>.{6,}?)(?:という)?(?:点|こと|旨)?(?:は|も|を|なので|ので|ため)、?(?:そこ(?:は|も)|その(?:点|旨)(?:は|も|を)|それ(?:は|も))?、?"
    r"(?:必ず|忘れずに?|きちんと|ちゃんと|一言|ひとこと|はっきり|注意書き(?:で|に)|注記(?:で|に)|、)*"
    r"(?:書い|記載し|明記し|入れ|触れ|載せ|伝え|注記し)て(?:おいて)?(?:ください|下さい|ほしい|欲しい)"
)
_CAVEAT = re.compile(
    r"リスク|場合|損失|損する|割高|割れ|買い?戻|違約|解約|変動|下落|上昇|なくなり次第|終わり|終了|限り|期限|対象外|できない|かかる|必要"
)


_SAY_SO_EN = re.compile(
    r"^(?:(?:please )?note(?: that)?:?\s|important:?\s)?(?P<what>.{12,}?),?\s(?:and )?(?:that|this|it|which)\s(?:must|has to|needs to|should)\s"
    r"(?:be (?:in|on|mentioned|shown|stated|said)|go (?:in|on))\b"
    r"|^(?:please )?(?:make sure (?:to|we|you) )?(?:mention|state|say|point out) (?:clearly )?that (?P<said>.{12,})",
    re.IGNORECASE,
)
_CAVEAT_EN = re.compile(
    r"\b(?:needs?|requires?|charge|risks?|fees?|may|could|cannot|can't|if|only|until|expires?|collateral|security|subject to)\b",
    re.IGNORECASE,
)


def caveat_in(sentence: str) -> str:
    """What must be told to the client, from 〜になる点は必ず書いてください; "" when the sentence asks for something else."""
    if english := _SAY_SO_EN.match(sentence.strip()):
        what = (english["what"] or english["said"]).strip(" .,")
        return what[:1].upper() + what[1:] if _CAVEAT_EN.search(what) else ""
    told = _SAY_SO.match(sentence.strip())
    what = told["what"].strip(" 　、。") if told else ""
    return what if _CAVEAT.search(what) else ""


def _is_need(sentence: str) -> bool:
    if is_japanese(sentence):
        return bool(_NEED_JA.search(sentence)) and not _REQUEST_JA.search(sentence)
    return bool(_NEED_EN.search(sentence)) and not _REQUEST_EN.search(sentence)


def _audience(text: str) -> re.Match[str] | None:
    return _AUDIENCE_JA.search(text) or _AUDIENCE_EN.search(text)


def talking_point(line: str) -> bool:
    """Whether a line says what the seller wants to speak about."""
    return _TALKING_POINT.search(line) is not None


def author_in(line: str) -> str:
    """Who writes, from a line like 法人第二の水谷です。"""
    writer = _WRITER.match(line)
    return writer["who"] if writer else ""


def audience_in(line: str) -> str:
    """Whom a line about the readers names; a short line without a verb names them itself, a story none."""
    named = _audience(line)
    short = re.sub(r"(?:です|でございます|の予定)?[。.]?$", "", line.strip())
    plain = len(short) <= 40 and not re.search(
        r"。|(?:ます|ました|ください|する|た|い)$|\b(?:is|are|will|wants?)\b", short
    )
    return named["who"] if named else short if plain else ""


def _slides_wished(found: Collected, said: list[Item]) -> None:
    """A number of slides in an instruction; 表紙1枚 and other numbers that make no deck are not the wish."""
    for item in said:
        for count in _SLIDES.finditer(half_width(item.text)):
            number = parse_number(count["n"])
            if number is not None and SLIDES[0] <= number <= SLIDES[1]:
                found.add("slide_count", str(int(number)), item.locator)
                return


def _wishes(found: Collected, prose: list[Item], text: str) -> None:
    if not found.of("slide_count"):
        _slides_wished(found, [*prose, *found.of("request")])
    if not found.of("audience") and (who := _audience(text)):
        found.add("audience", who["who"], _line_of(text, who[0]))
    if not found.of("industry") and (line := _INDUSTRY_JA.search(text)):
        found.add("industry", line["what"], _line_of(text, line[0]))
    if not found.of("language") and re.search(r"英語で|英文で|in English", text):
        found.add("language", "en", "prose")
    if not found.of("tone") and (
        tone := re.search(
            r"(丁寧|簡潔|カジュアル|フォーマル|親しみやす|堅実|情熱的|落ち着いた)[^。\n]{0,6}(?:トーン|口調|文体|に)",
            text,
        )
    ):
        found.add("tone", tone[1], _line_of(text, tone[0]))


# 来週の丸吉精機様訪問: when, not who.
_WHENCE = re.compile(
    r"^(?:(?:再?来週|今週|先週|来月|今月|先月|明日|あす|明後日|あさって|本日|今日|先日|今度|次回|前回|例|新規先?|既存先?|\d{1,2}[月/]\d{1,2}日?)の)+"
)


def client_in(text: str) -> str:
    """The first company, institution or person addressed in a text; "" when none."""
    for pattern in _CLIENTS_JA:
        for match in pattern.finditer(text):
            name = _WHENCE.sub("", re.sub(r"(?:様|さま|御中)$", "", match["name"])).strip()
            if len(name) >= 2 and not _GREETING.match(name) and not re.fullmatch(_KIND, name):
                return name
    english = _CLIENT_EN.search(text)
    return english["name"].strip() if english else ""


def offer_is(sentence: str) -> bool:
    """Whether a sentence enumerates what is to be proposed (提案したいのは…), or says what the seller can do."""
    return _OFFER_IS.search(sentence) is not None or _CAN_DO.match(sentence.strip()) is not None


# ものづくり補助金の申請支援もできます: what the seller can do, said by the way.
_CAN_DO = re.compile(
    r"^(?:また、?|ほかに、?|あと、?|なお、?)?(?P<what>[^。、]{2,40}?(?:支援|サービス|融資|診断|相談|代行|紹介|セミナー|マッチング|保証|リース|保険|サポート|作成|策定|取次))"
    r"(?:も|なら|は)(?:でき(?:ます|る)|可能(?:です)?|承(?:れ|り)ます|ご?用意(?:でき|があり|してい)ます?|お?手伝い(?:でき|し)ます|対応(?:でき|し)?(?:ます|可能です))。?$"
)


def products_in(sentence: str) -> list[str]:
    """What a sentence says is to be proposed."""
    if able := _CAN_DO.match(sentence.strip()):
        return [able["what"]]
    if offered := _OFFER_IS.search(sentence):
        parts = split_outside_brackets(offered["what"], r"、|および|及び|ならびに|それから|と(?=[、一-鿿ァ-ヺA-Za-z])")
        return [part for part in (p.strip(" 　、。と") for p in parts) if 2 <= len(part) <= 80]
    if is_japanese(sentence):
        match = _PRODUCT_JA.search(sentence)
        if not match:
            return []
        what = split_outside_brackets(
            match["what"] or match["what2"],
            r"、(?=[^、]*[はがにへ])|(?:に|へ)(?:は|対して|対し)?、?|ため、?|として、?|向け(?:の|に)?|は、",
        )[-1]
        parts = split_outside_brackets(what, r"と、|、|および|及び|ならびに|と(?=[一-鿿ァ-ヺA-Za-z])")
    else:
        match = _PRODUCT_EN.search(sentence)
        if not match:
            return []
        parts = split_outside_brackets(match["what"], r",\s|\sand\s")
    names = [
        re.sub(
            r"^(?:(?:こちら|当行|弊行|弊社|当社|うち|私ども|わたしども|我々)(?:から(?:は|も)?|としては?|は)、?|and|our|the|当行の|弊社の|自社の|また|さらに)\s?",
            "",
            p,
        ).strip(" 　、。")
        for p in parts
    ]
    names = [re.sub(r"(?<=[一-鿿ァ-ヺー])と$", "", n) for n in names]
    names = [re.sub(r"^(?:an?|our|the|some)\s", "", n) for n in names]
    return [n for n in names if 2 <= len(n) <= 80 and not re.search(r"提案書|資料|deck|proposal", n)]


def _line_of(text: str, phrase: str) -> str:
    at = text.find(phrase)
    return f"line {text.count(chr(10), 0, at) + 1}" if at >= 0 else "prose"
