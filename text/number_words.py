"""Words beside numbers, in the languages that customers write: of telephone numbers, and of other numbers."""

from __future__ import annotations


def words(text: str) -> frozenset[str]:
    """The words of a text."""
    return frozenset(text.split())


PHONE_WORDS = words(
    """
    tel tél cel wapp tlf tfno fone ph phone phones mobile mobiles mob móvil movil cell cells cellphone cellular celular
    celu cellulare handphone hp portable gsm komórka komorka cep landline fax call called calling calls ring ringing
    dial dialled dialed dialing text texted texting txt sms whatsapp whatsap viber hotline helpline ruf rufen
    anrufen anruf rückruf ruckruf appel appeler appelez appelle llama llamar llamen llamada llamadme llamarme
    llámame llámenos llámeme ligar ligue liguem ligação chiama chiamare chiamate chiamatemi bel bellen ringa
    zadzwoń zadzwon contact contacto тел моб мобильный звоните позвоните звони هاتف جوال تليفون موبايل اتصل
       sđt κινητό טלפון נייד
    """
)
PHONE_STEMS = ("telef", "telep", "télép", "teléf", "rufnummer", "handy", "τηλέφ", "телеф")
PHONE_PHRASES = words(
    """
    reach|me reach|us my|number my|num my|nr my|no my|digits new|number meine|nummer neue|nummer mon|numéro mi|número
    meu|número mio|numero wa|me điện|thoại whats|app numer|telefonu
    """
)
OTHER_WORDS = words(
    """
    order orders bestellung bestellnummer bestellnr auftrag auftragsnummer auftragsnr commande pedido ordine
    zamówienie zamówienia invoice invoices rechnung rechnungsnummer rechnungsnr factura facture fattura faktura
    receipt beleg quittung tracking track parcel parcels package packages paket paketnummer sendung sendungsnummer
    sendungsverfolgung colis suivi shipment shipments shipping waybill id code member awb ref reference referenz
    référence referencia rma ticket tickets case incident isbn issn ean gtin upc asin sku serial seriennummer sn
    imei model modell part artikel artikelnummer artikelnr art item product produkt article confirmation pnr
    booking buchung buchungsnummer reservation réservation flight kundennummer kundennr membership mitglied
    mitgliedsnummer loyalty policy contract vertrag vertragsnummer version build firmware patch bug issue zip plz
    postcode postal lot batch barcode coupon voucher pin vat ust tax steuernummer iva siret siren patent doi isrc
    pmid hash commit checksum unix epoch timestamp score population preis prix precio заказ заказа трек посылка
    счет طلب
    """
)
WEAK_WORDS = words("customer customers claim claims charge price account acct services service")
"""Words of other numbers that also stand before telephone numbers: `customer services 0800...`."""

NEITHER_WORDS = words(
    """
    card cards visa mastercard amex maestro kreditkarte karte kartennummer carte tarjeta cartão cartao carta paid
    iban konto email mail
    """
)
"""What ends the reach of the words before it: numbers of cards and accounts have rules of their own."""

PHONE_MARKS = (
    "电话",
    "電話",
    "手机",
    "手機",
    "号码",
    "携帯",
    "전화",
    "연락처",
    "휴대폰",
    "โทร",
    "फ़ोन",
    "फोन",
    "मोबाइल",
    "कॉल",
    "☎",
    "📞",
    "📱",
)
OTHER_MARKS = ("订单", "訂單", "单号", "快递", "注文", "追跡", "주문", "송장", "ऑर्डर")
"""Words of scripts without blanks between words, or whose words hold more than letters."""

UNITS = words(
    """
    m km cm mm kmh mph g kg mg lb lbs oz ml l b kb mb gb tb hz khz mhz ghz mah wh kwh px eur usd gbp chf inr pln
    kr euro euros dollar dollars pound pounds bucks rupees yen views view followers likes subscribers people users
    customers miles points steps year years day days hours minutes seconds million pieces pcs stück pages words
    votes bytes
    """
)
"""Words right behind an amount."""
