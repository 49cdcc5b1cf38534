"""Which law a wording rule rests on, and how to say it instead. The references want a compliance officer's eye."""

from __future__ import annotations

from typing import NamedTuple


class Basis(NamedTuple):
    law: str
    suggestion: str


BASIS = {
    "wording.pressure": Basis(
        "金融商品取引法36条（誠実公正義務）, 40条（適合性の原則）, 消費者契約法4条",
        "契約を急がせる表現を削除する。",
    ),
    "wording.tying": Basis(
        "銀行法13条の3第3号・4号, 独占禁止法（優越的地位の濫用）",
        "融資と他の商品の契約が条件でないことを明記する。",
    ),
    "wording.definitive": Basis(
        "金融商品取引法38条2号（断定的判断の提供等の禁止）, 金融サービス提供法5条, 消費者契約法4条1項2号",
        "断定を避け、「〜となる可能性があります。市場環境により変動し、損失が生じることがあります」のように書く。",
    ),
    "wording.no_loss": Basis(
        "金融商品取引法37条2項（誇大広告等の禁止）, 38条2号, 金融商品取引業等に関する内閣府令117条1項2号",
        "「元本割れや損失が生じるおそれがあります」とリスクを明示する。",
    ),
    "wording.guarantee": Basis(
        "金融商品取引法38条2号, 39条（損失補塡等の禁止）, 金融サービス提供法4条",
        "保証の表現を削り、「元本や利回りは保証されていません」と書く。",
    ),
    "wording.loss_compensation": Basis(
        "金融商品取引法39条1項（損失補塡・利益追加の申込み・約束の禁止）",
        "損失の補塡・埋め合わせの約束を削る。",
    ),
    "wording.superlative": Basis(
        "金融商品取引法37条2項, 不当景品類及び不当表示防止法5条1号, 日本証券業協会 広告等に関する規則",
        "出所・調査主体・時点・範囲を併記するか、最上級の表現を削る。",
    ),
    "wording.comparison": Basis(
        "金融商品取引法37条2項, 不当景品類及び不当表示防止法5条1号・2号, 日本証券業協会 広告等に関する規則",
        "比較の対象・条件・出所・時点を示すか、優劣の表現を削る。",
    ),
    "wording.misleading": Basis(
        "金融商品取引業等に関する内閣府令117条1項2号（虚偽・誤解表示）, 金融商品取引法37条2項",
        "預金との同一視や公的機関の推奨と読める表現を削る。",
    ),
    "wording.special_benefit": Basis(
        "金融商品取引業等に関する内閣府令117条1項3号（特別の利益の提供）, 不当景品類及び不当表示防止法4条",
        "特別の利益の提供を約束する表現を削る。",
    ),
    "wording.missing_risk": Basis(
        "金融商品取引法37条1項, 金融商品取引業等に関する内閣府令73条・76条",
        "「元本割れが生じるおそれがあること」とその理由を同じ大きさで表示する。",
    ),
    "wording.missing_fee": Basis(
        "金融商品取引法37条1項, 金融商品取引業等に関する内閣府令73条・74条",
        "手数料等の額または上限、計算方法を表示する。",
    ),
}
