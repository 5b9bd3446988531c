"""Tables as utilities of many countries export them, with headers and remarks in their language and encoding."""

from __future__ import annotations

import random
from dataclasses import dataclass


@dataclass(frozen=True)
class Writer:
    """What somebody writes into tables.

    Attributes:
        encodings: in which the spreadsheet programs of the country save, the usual one first.
        headers: of account, photo and remark.
        remarks: what stands beside photos.
        places: names of streets and towns.
    """

    encodings: tuple[str, ...]
    headers: tuple[str, str, str]
    remarks: tuple[str, ...]
    places: tuple[str, ...]


WRITERS = {
    "German": Writer(
        ("cp1252", "mac_roman", "cp850"),
        ("Kundennummer", "Bildadresse", "Lagebeschreibung für Ableser"),
        ("Kellertür verschlossen", "läuft rückwärts", "Glas zerstört", "ok", "Siegel fehlt, Rückfrage nötig"),
        ("Lübeck", "Würzburg", "Görlitz", "Kölner Straße 5", "Hauptplatz 2"),
    ),
    "French": Writer(
        ("cp1252", "mac_roman", "iso8859_15"),
        ("Référence client", "Lien de l'image", "Commentaire"),
        ("porte fermée", "scellé absent", "illisible à cause du reflet", "RAS", "plombé, à revoir"),
        ("Béziers", "Angoulême", "rue de la République", "allée des Tilleuls", "Lyon"),
    ),
    "Spanish": Writer(
        ("cp1252",),
        ("Código cliente", "Enlace", "Comentarios"),
        ("medidor dañado", "sin acceso, puerta cerrada", "lectura difícil", "bien", "caja rota, reparación pedida"),
        ("Logroño", "Cáceres", "Calle Alcalá 3", "Bogotá", "Asunción"),
    ),
    "Portuguese": Writer(
        ("cp1252",),
        ("Código", "Ligação da imagem", "Observações"),
        ("portão fechado", "sem tensão", "visor queimado", "avaria no botão", "tudo bem"),
        ("São Luís", "Évora", "Setúbal", "Avenida da República", "Florianópolis"),
    ),
    "Swedish": Writer(
        ("cp1252",),
        ("Kundnr", "Länk", "Anmärkning"),
        ("dörren låst", "okänd ägare", "går inte att läsa", "bra", "lös kåpa"),
        ("Linköping", "Borås", "Skellefteå", "Storgatan 3", "Östersund"),
    ),
    "Danish": Writer(
        ("cp1252",),
        ("Kundenr", "Billede", "Bemærkninger"),
        ("døren låst", "tåget rude", "kan ikke aflæses, sløret", "ok", "defekt tæller"),
        ("Nørrebro", "Sønderborg", "Køge", "Hovedgaden 4", "Hjørring"),
    ),
    "Finnish": Writer(
        ("cp1252",),
        ("Asiakasnumero", "Kuvan osoite", "Huomautuksia mittarista tässä"),
        ("ei pääsyä", "lukema epäselvä", "lasi särkynyt", "kunnossa", "näyttö sammunut"),
        ("Hyvinkää", "Riihimäki", "Mäntsälä", "Kauppakatu 3", "Töölö"),
    ),
    "Polish": Writer(
        ("cp1250", "iso8859_2", "cp852"),
        ("Nr ewidencyjny", "Odnośnik do fotografii", "Komentarz montażysty"),
        ("brak dostępu", "szkło pęknięte", "plomba zdjęta", "w porządku", "nieczytelny, zabrudzony głęboko"),
        ("Białystok", "Częstochowa", "Rzeszów", "ul. Długa 4", "Bielsko-Biała"),
    ),
    "Czech": Writer(
        ("cp1250", "cp852"),
        ("Zákazník", "Odkaz na snímek", "Poznámky technika"),
        ("zamčeno", "rozbité sklo", "nečitelné kvůli odrazu", "v pořádku", "chybí plomba, řeší se"),
        ("Olomouc", "Jihlava", "Náměstí Míru 3", "Karviná", "Uherské Hradiště"),
    ),
    "Hungarian": Writer(
        ("cp1250",),
        ("Azonosító", "Kép hivatkozása", "Megjegyzések"),
        ("zárva", "törött üveg", "nem olvasható, tükröződik", "rendben", "hiányzik a plomba, később"),
        ("Szolnok", "Kőszeg", "Petőfi út 4", "Dunaújváros", "Hegyeshalom"),
    ),
    "Romanian": Writer(
        ("cp1250",),
        ("Cod client", "Legătură imagine", "Menţiuni"),
        ("uşă încuiată", "geam spart", "ilizibil, reflexie puternică", "bun", "sigiliu lipsă"),
        ("Bistriţa", "Râmnicu Vâlcea", "Strada Florilor", "Cluj", "Făgăraş"),
    ),
    "Croatian": Writer(
        ("cp1250",),
        ("Šifra kupca", "Poveznica", "Bilješka"),
        ("zaključana vrata", "nečitko", "razbijeno staklo, treba doći", "u redu", "nedostaje žig"),
        ("Ivanić-Grad", "Duga ulica 7", "Poreč", "Bjelovar", "Vukovarska cesta, Našice"),
    ),
    "Lithuanian": Writer(
        ("cp1257",),
        ("Kliento kodas", "Nuoroda", "Pastabos apie būklę"),
        ("durys užrakintos", "stiklas sudužęs", "neįskaitoma", "tvarkoje", "trūksta plombos"),
        ("Kėdainiai", "Tauragė", "Ąžuolų g. 5", "Utena", "Biržai"),
    ),
    "Russian": Writer(
        ("cp1251", "koi8_r", "cp866", "iso8859_5", "mac_cyrillic"),
        ("Договор", "Снимок", "Замечания"),
        ("дверь закрыта", "стекло разбито", "плохо видно цифры", "хорошо", "щиток под замком, ключа нет"),
        ("Самара", "Нижний Тагил", "проспект Мира 5", "Челябинск", "Гагарина 12"),
    ),
    "Ukrainian": Writer(
        ("cp1251", "koi8_u"),
        ("Договір", "Світлина", "Зауваження"),
        ("двері зачинені", "скло розбите", "погано видно цифри", "добре", "щиток під замком, ключів нема"),
        ("Полтава", "Чернівці", "проспект Миру 5", "Суми", "Лесі Українки 7"),
    ),
    "Bulgarian": Writer(
        ("cp1251",),
        ("Договор", "Изображение", "Бележки"),
        ("заключена врата", "счупено стъкло", "не се чете", "добре", "липсва пломба"),
        ("Плевен", "Стара Загора", "ул. Шипка 5", "Русе", "Перник"),
    ),
    "Greek": Writer(
        ("cp1253", "iso8859_7"),
        ("Κωδικός", "Εικόνα", "Σχόλια"),
        ("κλειδωμένη πόρτα", "σπασμένο τζάμι", "δεν διαβάζεται", "εντάξει", "λείπει σφραγίδα"),
        ("Λάρισα", "Βόλος", "Ερμού 5", "Ιωάννινα", "Χανιά"),
    ),
    "Turkish": Writer(
        ("cp1254", "cp857"),
        ("Sözleşme", "Görsel", "Notlar"),
        ("kapı kilitli", "camı kırılmış", "okunmuyor, ışık yansıyor", "iyi", "mühürsüz, ayrıca bakılacak"),
        ("Diyarbakır", "Beşiktaş", "Atatürk Caddesi 4", "Bursa", "Kadıköy"),
    ),
    "Hebrew": Writer(
        ("cp1255",),
        ("חוזה", "צילום", "הערה"),
        ("דלת נעולה", "זכוכית שבורה", "לא קריא", "בסדר", "חסר חותם"),
        ("נתניה", "אשדוד", "הרצל 5", "רמת גן", "כפר סבא"),
    ),
    "Arabic": Writer(
        ("cp1256",),
        ("العقد", "الصور", "التعليق"),
        ("الباب مغلق", "زجاج مكسور", "غير واضح", "جيدة", "بدون ختم"),
        ("الإسكندرية", "طنطا", "شارع النيل 5", "عمان", "المنصورة"),
    ),
    "Thai": Writer(
        ("cp874",),
        ("สัญญา", "ภาพ", "บันทึก"),
        ("ประตูล็อก", "กระจกแตก", "มองไม่ชัด", "ดี", "ซีลขาด"),
        ("ภูเก็ต", "สงขลา", "สุขุมวิท 5", "นนทบุรี", "ระยอง"),
    ),
    "Simplified Chinese": Writer(
        ("gb18030",),
        ("合同号", "图像", "附注"),
        ("正常", "门锁着", "玻璃碎了", "反光看不清", "缺铅封，待处理"),
        ("南京", "苏州市", "人民路5号", "成都", "朝阳区"),
    ),
    "Traditional Chinese": Writer(
        ("big5",),
        ("合約編號", "影像", "附註"),
        ("門鎖住", "玻璃破裂", "反光看不清楚", "良好", "缺鉛封，待處理"),
        ("台南市", "基隆", "中山路5號", "新北市", "沙田"),
    ),
    "Japanese": Writer(
        ("cp932", "euc_jp"),
        ("お客様番号", "画像リンク", "メモ"),
        ("施錠されている", "ガラス割れ", "反射で読めない", "良好", "封印なし、再訪問"),
        ("京都市", "千葉県", "桜通り5", "浦和", "広島"),
    ),
    "Korean": Writer(
        ("cp949",),
        ("계약", "이미지", "특이사항"),
        ("문이 잠김", "유리 깨짐", "반사로 안 보임", "좋음", "봉인 없음"),
        ("수원시", "춘천", "중앙로 5", "포항", "김해"),
    ),
}
CASES = [(language, encoding) for language, writer in WRITERS.items() for encoding in writer.encodings]


def table(language: str, rows: int, seed: int, *, share: float = 1.0) -> str:
    """Return a table as text.

    Args:
        language: a key of WRITERS.
        rows: below the header.
        seed: of what is drawn.
        share: of rows with a remark and a place; the others have neither.
    """
    writer, drawn = WRITERS[language], random.Random(f"{language} {rows} {seed} {share}")
    header = writer.headers if drawn.random() < 0.6 else ("Account", "Photo", "Remark")
    lines = [";".join((header[0], header[1], header[2], "Place"))]
    for number in range(rows):
        filled = drawn.random() < share
        remark = drawn.choice(writer.remarks) if filled else ""
        place = drawn.choice(writer.places) if filled else ""
        lines.append(f"{drawn.randrange(10**9):09d};https://store.example/{seed}/photo_{number}.jpg;{remark};{place}")
    return "\r\n".join(lines) + "\r\n"
