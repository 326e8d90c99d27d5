"""The vocabulary of labels: words beside a number that say what it is, in the languages of our customers."""

# ruff: noqa: RUF001 - words of many scripts stand here on purpose

from __future__ import annotations

from enum import StrEnum
from typing import Final


class Kind(StrEnum):
    """What a label announces."""

    PHONE = "PHONE"
    CARD = "CARD"
    SSN = "SSN"
    EMAIL = "EMAIL"
    IBAN = "IBAN"
    ACCOUNT = "ACCOUNT"
    OTHER = "OTHER"


_EXACT: Final = {
    Kind.PHONE: """
        phone phones telephone cellphone smartphone tel tels tlf tfno fone puhelin puh mobile
        mobiles mobil mobiel cell móvil movil cel cellulare portable gsm mob fax faxes whatsapp
        whats viber telegram signal call calls called calling caller callback dial dials dialed
        dialled dialing ring rang reach reached reachable sms voicemail pager hotline helpline
        landline switchboard answering contact contacts contacter contacto ph festnetz durchwahl
        ruf rufe ruft ligue ligar bel bellen hringdu sími simi telepon sđt cep gsm ara arayın
        joindre numaram telp telpon zap puhelinnumero
    """,
    Kind.CARD: """
        card cards cc ccn ccnum visa mastercard amex discover diners jcb maestro unionpay credit
        debit pan carte cartes tarjeta tarjetas cartão cartao kort kortnummer kortti karta kartu
        karte kaart creditcard cardnumber
    """,
    Kind.SSN: "ssn ssns ss social socials soc socsec itin itins taxpayer",
    Kind.EMAIL: "email emails mail mailto mails mailed emailed correo courriel",
    Kind.IBAN: "iban",
    Kind.ACCOUNT: """
        account accounts acct acc routing aba swift bic konto kontonummer kontonr compte cuenta rekening
    """,
    Kind.OTHER: """
        order orders invoice invoices inv receipt receipts booking bookings reservation
        reservations confirmation track tracking parcel shipment serial imei imsi iccid isbn issn
        doi pmid orcid arxiv id ids uuid guid sku ean upc gtin asin barcode ticket tickets issue
        issues pull commit version versions ver rev revision build release size length bytes hash
        nhs cpf cnpj siret siren abn acn tfn lot session isin cusip nip regon pesel mrn
        score scores checksum sha md timestamp epoch unix date dates port pid seq offset ref reference
        transaction transactions txn meeting zip postal postcode plz otp pin passcode password
        amount price total cost budget population vat ein npi license licence passport coordinates
        lat lon lng latitude longitude year years flight catalog article commande facture pedido
        factura folio ordine kundennummer
    """,
}
_STEMS: Final = {
    Kind.PHONE: """
        telefon teléfon telefax téléphon telephon telefón celular handyn anruf rufnummer erreich
        appel llam llám contáct contatt volejte chiam soit zadzwo zavol mobiln mobilt mobiltel
        тел моб звон факс τηλ κιν
        טלפון נייד פקס هاتف جوال موبايل اتصل फ़ोन फोन मोबाइल điện โทร
    """,
    Kind.CARD: "kreditkart karten kredytow карт carta بطاقة כרטיס",
    Kind.EMAIL: "почт электронн",
    Kind.OTHER: "bestell rechnung zamówieni заказ sipariş",
}
_CHARACTERS: Final = {
    Kind.PHONE: """
        电话 電話 手机 手機 联系方式 聯絡 热线 拨打 致电 传真 携帯 連絡先 연락처 전화 휴대 핸드폰 팩스
    """,
    Kind.CARD: "信用卡 银行卡 卡号 カード 카드",
    Kind.EMAIL: "邮箱 郵箱 メール 이메일",
    Kind.OTHER: "订单 訂單 编号 編號 金额 快递 单号 注文 주문 价格",
}
_OWNERS: Final = "my your his her their our new"
_OWN_NUMBERS: Final = """
    meine-nummer mein-nummer unsere-nummer mijn-nummer mitt-nummer mitt-nummeret min-nummer mit-nummer
    mon-numéro notre-numéro mi-número mi-numero nuestro-número mio-numero nostro-numero meu-número meu-numero
    mój-numer moje-číslo мой-номер
"""
_NUMBERED: Final = """
    customer member patient policy claim employee student case part model item product room file job batch
    record
"""
_CODED: Final = "country verification promo discount access entry auth security"

EXACT: Final[dict[str, Kind]] = {word: kind for kind, words in _EXACT.items() for word in words.split()}
STEMS: Final[dict[str, Kind]] = {stem: kind for kind, stems in _STEMS.items() for stem in stems.split()}
STEM_STARTS: Final = tuple(STEMS)
CHARACTERS: Final[dict[str, Kind]] = {
    sign: kind for kind, signs in _CHARACTERS.items() for sign in signs.split()
}
PAIRS: Final[dict[tuple[str, str], Kind]] = {
    **{(owner, number): Kind.PHONE for owner in _OWNERS.split() for number in ("number", "no", "digits")},
    **{
        (own, number): Kind.PHONE for own, _, number in (pair.partition("-") for pair in _OWN_NUMBERS.split())
    },
    **{("text", person): Kind.PHONE for person in ("me", "us", "him", "her", "them")},
    **{
        (thing, number): Kind.OTHER
        for thing in _NUMBERED.split()
        for number in ("number", "no", "num", "code", "nr")
    },
    **{(thing, "code"): Kind.OTHER for thing in _CODED.split()},
    ("social", "security"): Kind.SSN,
    **{("tax", number): Kind.SSN for number in ("id", "identification", "number", "no")},
    ("american", "express"): Kind.CARD,
    ("toll", "free"): Kind.PHONE,
    ("sort", "code"): Kind.ACCOUNT,
}


def kind_of(word: str, before: str) -> Kind | None:
    """Return what a lower-case word announces, given the word before it."""
    found = EXACT.get(word) or PAIRS.get((before, word))
    if found is not None:
        return found
    if word.startswith(STEM_STARTS):
        return next(kind for stem, kind in STEMS.items() if word.startswith(stem))
    if word.isascii():
        return None
    return next((kind for sign, kind in CHARACTERS.items() if sign in word), None)
