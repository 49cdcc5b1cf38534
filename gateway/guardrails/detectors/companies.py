"""Names of firms, places and things that contain a family name: where no person is meant."""

from __future__ import annotations

import re
from collections.abc import Iterator

from gateway.guardrails.view import View

_FORMS = r"(?:株式会社|有限会社|合同会社|合資会社|合名会社|相互会社|\(株\)|\(有\)|\(合\)|(?:一般|公益)?(?:社団|財団)法人|(?:医療|学校|宗教|社会福祉|特定非営利活動|税理士|弁護士|監査|独立行政)法人|NPO法人)"
_NAME = r"[一-龠々ヶァ-ヴーA-Za-z0-9&・.'ー-]{1,20}"
_PREFIXED = re.compile(rf"{_FORMS}[ ]?{_NAME}")
_SUFFIXED = re.compile(rf"{_NAME}{_FORMS}")

# Right behind a family name these make a firm, a place or a term of it.
AFTER = re.compile(
    r"(?:[がヶケ]原|商事|商会|商店|商社|工業|工務店|工房|工機|工具|建設|建築|建材|組(?![みんま])|製作所|製造|製薬|製菓|製紙|製粉|製鋼|製鉄|製麺|製茶|製氷|電機|電気|電工|電子|電設|電鉄|電力|自動車|"
    r"自転車|銀行|信金|信用金庫|証券|生命|損保|火災|海上|保険|不動産|地所|住宅|住建|ハウス|倉庫|運輸|運送|運搬|物流|陸運|海運|汽船|鉄道|交通|観光|旅行|食品|食堂|"
    r"酒造|酒店|醸造|水産|農園|農場|農機|牧場|薬品|薬局|化学|化成|化工|硝子|ガラス|ゴム|繊維|紡績|織物|染工|印刷|書店|書房|出版|新聞|放送|テレビ|楽器|模型|鋼管|鋼業|鉄工|"
    r"金属|貴金属|鉱業|石油|ガス|産業|興業|興産|実業|物産|通商|貿易|ホールディングス|グループ|HD|コーポレーション|総業|技研|研究所|総研|総合研究所|事務所|医院|"
    r"病院|クリニック|歯科|内科|眼科|外科|小児科|皮膚科|耳鼻科|整形|接骨院|整骨院|会計|法律|税理士法人|税務|大学|学園|学院|高校|中学|小学校|幼稚園|保育園|記念|美術館|博物館|文庫|賞(?!与)|"
    r"財団|屋(?!さん|外|内|根)|亭|旅館|ホテル|精肉店|米店|鮮魚店|塗装|設備|土建|土木|測量|造園|造船|重工|重機|機械|機工|精機|精密|計器|時計|畳店|家具|木材|林業|葬祭|"
    r"駅|町|市(?![川田村原])|区|村|郡|県|川(?![、。]|が|は|の)|山|湖|島|岳|峠|橋|通り|線|港|空港|IC|インター|支店|支社|支局|支部|支所|営業所|出張所|工場|店(?![長員])|城(?!戸|田)|寺|神社|大社|公園|"
    r"ビル|タワー|マンション|会館|ホール|スタジアム|球場|ドーム|アリーナ|事件|内閣|政権|理論|方程式|式|流(?!れ|石)|派|氏族|海岸|高原|温泉|盆地|平野|半島|海峡|湾|地区|地方|方面|街道|本線|家(?!族|庭|計|屋)|"
    r"プロダクション|コンサルティング|システム|ソリューション|エンジニアリング|テクノ|サービス|フーズ|ファーム|パーツ|モータース|オート|デザイン|スタジオ|パートナーズ|キャピタル|"
    r"アセット|マネジメント|ファンド|不動産|トラスト|トレーディング|インターナショナル|ジャパン|製版|製本|食産|畜産|鋳造|鍛造|特殊鋼|鋼材|商工|金物|陶器|窯業|珈琲|茶舗|本舗|総本店|本店|百貨店|"
    r"スーパー|ストア|マート|ドラッグ|株|債|ドリーム|杯|カップ|記念日|学派|教授会|一族|藩|遺跡|古墳|貝塚|焼(?!き)|織(?!田|り)|漬|牛(?!島|山|丸)|うどん|そば|ラーメン|みかん|いちご|茶(?![々谷]))"
)
_KATAKANA_FIRM = re.compile(r"[ァ-ヴー]{3,}")


def spans(view: View) -> list[tuple[int, int]]:
    """Where the text names an organisation by its legal form."""
    return list(_spans(view.text))


def _spans(text: str) -> Iterator[tuple[int, int]]:
    if not re.search(r"会社|\(株\)|\(有\)|法人|\(合\)", text):
        return
    for pattern in (_PREFIXED, _SUFFIXED):
        for match in pattern.finditer(text):
            yield match.span()


def firm_follows(text: str, end: int) -> bool:
    """A word that turns the name before it into a firm, a place or a thing."""
    return AFTER.match(text, end) is not None
