"""A little text of each language that is written in an encoding of its own, to judge which one a table is in.

Everyday words, names of months and places, and what stands in the header of a list. Only letters outside ASCII and
their neighbours count; of East Asian languages the most frequent characters come first, and then
those of lists of meters.
"""

from __future__ import annotations

WESTERN = {
    "German": "für über zähler größe straße gerät schäden prüfung gebäude österreich münchen köln düsseldorf zürich"
    " nürnberg tür schlüssel außen süd nördlich höhe länge breite fläche märz später müller schröder jäger weiß grün"
    " gelöscht geändert ungültig beschädigt bestätigt verfügbar nächste während häuser räume stück füllung öffnung"
    " übergabe ausführung bemühung wärme kälte lüftung stromzähler zählerstand zählernummer schäfer groß fuß äpfel"
    " können möglich hätte würde hören böse löschen schön fünf zwölf eigentümer erklärung änderung ä ö ü ß"
    " rückgabe zurück stück glück brücke küche bäcker händler wähler für kühl gemäß spaß straßen weiße heiß"
    " Übersicht Änderung Öffnung Ü Ä Ö",
    "French": "été numéro relevé vérifié fenêtre être même tête forêt arrêt prêt boîte île août hôtel côté contrôle"
    " dépôt où là voilà déjà à après très mètre compteur électrique électricité énergie général réseau détaché"
    " adresse référence créé société propriété façade reçu français garçon ça noël haïti sûr goût coût"
    " bâtiment château âge tâche gâteau élève école équipe qualité étage résidence hébergement problème complète"
    " première dernière deuxième clé donnée année journée décembre février téléphone prénom intérêt fête pêche"
    " naïf œuvre cœur sœur bœuf saint-étienne orléans besançon nîmes élevé protégé cassé brûlé mouillé intérieur"
    " extérieur photographié accès état modèle série début dû été",
    "Spanish": "número teléfono dirección instalación lectura eléctrico eléctrica energía compañía español españa año"
    " mañana niño señor según después también así aquí allí está están más través público técnico código artículo"
    " máquina página último día vía batería tubería avería dañado pequeño baño cañón peña muñoz garcía martínez"
    " pérez gonzález rodríguez hernández lópez sánchez méxico perú córdoba málaga cádiz león jaén ávila"
    " acción atención información situación ubicación observación revisión conexión medición óptimo fotografía"
    " añadir contraseña diseño razón corazón interés inglés cómo qué cuándo dónde güera ú í ó",
    "Portuguese": "número não são pão mão irmão avião coração estação ligação instalação medição observação endereço"
    " informação situação ações opções medições português você três mês após só avó avô pôr está será água país"
    " área série público técnico código último análise relatório município província março ônibus quilômetro"
    " força serviço preço praça criança mudança à às câmara distância elétrico elétrica energia bê luís joão"
    " guimarães brasília goiás pará ceará maranhão paraná é já até também além alguém lâmpada cães põe ü í ó ú",
    "Italian": "città qualità unità quantità attività proprietà società età già là più può così sì lunedì martedì"
    " venerdì è cioè perché poiché né caffè piè tè virtù giù però ciò università facoltà località possibilità"
    " comunità verità metà forlì cantù cefalù mondovì ù ò ì è é à",
    "Swedish": "är och på även när för över göteborg malmö västerås örebro umeå gävle mätare mätarnummer avläsning"
    " fjärrvärme område år två också från många små nå väg gård gått fått både där här själv städer hölje kök"
    " hög låg blå grå röd grön två må må lördag söndag års tjänst värde försök anläggning ägare åtgärd läge öppen"
    " stängd rör större före därför åäö sjö snö björk ström större före mörk",
    "Danish": "måler målernummer målerstand aflæsning æble ø år på gård får både også først større køb sø ærø"
    " københavn århus ålborg næstved helsingør forår område øst håndværker lørdag søndag rød grøn blå små nå så"
    " kræver læs være værdi ændring næste bemærkning tilstødende årsag udført nødvendig måned før når",
    "Norwegian": "måler målernummer avlesning tromsø ålesund bodø bærum lillestrøm år på også før når får må gård"
    " sør nord øst håndtak skjøte kjøkken kjøre sjø rød grønn blå små være værnes området løpende nødvendig måned"
    " lørdag søndag østfold ærlig hjørne båt åpen",
    "Finnish": "määrä käyttöpaikka sähkö mittari sähkömittari näyttö kerää päivä päivämäärä käyttö yö työ työtä"
    " jyväskylä hämeenlinna järvi seinäjoki pöytä syöttö tämä tässä missä mitä ei näin hyvä äiti öljy välillä"
    " lämpö lämmitys jäähdytys tehtävä päällä pääkytkin ehjä särkynyt lisätiedot äänekoski ylä ylöjärvi åbo",
    "Icelandic": "mælir númer reykjavík kópavogur rafmagn ísland það þetta þú við maður gæði ástand athugasemd"
    " ljósmynd heimilisfang hæð öll bygging þór sæmundur eyjafjörður höfn vík árborg",
    "Catalan": "número lectura observació instal·lació col·legi adreça força plaça màquina què perquè això només"
    " català barcelona lleó sant martí gràcia és més també però girona història aïllat raó qüestió pàgina",
    "Dutch": "één reële coördinaat coëfficiënt financiële ideeën België zoölogie vóór hè façade beëindigd geïnstalleerd"
    " officiële categorieën patiënten Brabançonne enquête crème",
}
CENTRAL = {
    "Polish": "zdjęcie zdjęcia licznik ulica łódź kraków poznań gdańsk wrocław wałbrzych żyrardów zażółć gęślą jaźń"
    " się są być będzie był było była który która został została można także również więc część wartość ilość"
    " adres miejscowość powierzchnia data odczytu uwagi środa piątek październik wrzesień styczeń kwiecień sierpień"
    " grudzień węzeł ciepło łącznie główny główna północ południe wschód zachód dół góra pół półka duży mały"
    " uszkodzony zamknięty otwarty niedostępny wymiana urządzenie urządzeń napięcie natężenie prąd prądu energię"
    " właściciel użytkownik mieszkańców mąż żona córka święto źródło późno też już żółty różne dwóch wójt ścieżka"
    " numer odłączony odbiór książka ksiądz książ łańcut bełchatów świdnica sącz żary śląsk opłata wpłata załącznik",
    "Czech": "číslo elektroměr elektroměru stav měření měřidlo příjmení jméno ulice město brno plzeň třebíč příbram"
    " děčín ústí hradec králové české budějovice kroměříž žďár střední východ západ poznámka odečet odečtu fotografie"
    " přístup přístroj přívod dům byt běžný dobrý špatný poškozený nepřístupný výměna úřad účet účtu pondělí úterý"
    " středa čtvrtek pátek neděle únor březen květen červen září říjen když může při před přes který která které"
    " není být své jsou vše další první poslední větší menší těžký příští žádost stávající umístění sklepě"
    " uživatel řada hodnota množství tříd dveře dveří řízení zařízení ě š č ř ž ý á í é ů ú kůň dům můj",
    "Slovak": "číslo elektromer odpočet poznámka mesto košice žilina trenčín prešov nitra bystrica banská meranie"
    " hodnota dátum príjmenie ulica štvrtok piatok nedeľa január február október môže nôž kôň väčší ďalší ľudia"
    " vlastník užívateľ používateľ veľký stĺp vŕba pôvodný rýchly čas žiadosť časť súčasť účet spoločnosť ťažký"
    " poškodený nedostupný výmena prístup byť mať stav vchod miesto umiestnenie ľavý päť mäso",
    "Hungarian": "mérő mérőóra gyári szám leolvasás megjegyzés cím utca épület győr pécs székesfehérvár debrecen"
    " hódmezővásárhely kecskemét őr őrség időpont idő fő első utolsó következő működő működik hibás sérült cserélve"
    " fénykép óraállás tűz gyűjtő gyűrű fűtés hűtő nő erdő ügyfél ügyfélszám felső alsó külső belső üzem szükség"
    " között össze több öt tíz húsz száz ezer nincs hozzáférés tulajdonos szerelő szerelés csütörtök szombat hétfő"
    " péntek március május június július október született névű egységű",
    "Romanian": "număr număru adresă stradă bucureşti braşov iaşi ploieşti constanţa timişoara galaţi piteşti târgu"
    " mureş şi să că în până după fără către două situaţie observaţii citire fotografie instalaţie locaţie staţie"
    " încărcare îi îl ţară viaţă preţ condiţii informaţii acţiune reţea reţele energie electrică măsură măsurare"
    " înlocuit defect distrus lipsă oraş comună judeţ sâmbătă duminică mâine pâine român română când cât vânt gând",
    "Croatian": "brojilo očitanje kuća šibenik čakovec đakovo đurđevac županja varaždin požega križevci račun račun"
    " više već neće noć moć ključ što još koji će biće ulična međa između mjerač mjerenje općina grad kućni"
    " oštećen oštećeno zamijenjen pristup nedostupno petrović horvat kovačević marić babić jurić novaković šimić"
    " ožujak siječanj veljača travanj srpanj rujan",
    "Slovene": "števec številka odčitek opomba naslov ulica občina hiša škofja loka šentjur žalec črnomelj kočevje"
    " že če še več nič priključek poškodovan zamenjan dostop merilno mesto uporabnik januar četrtek češnja bližina"
    " žužemberk novačan krajšek",
}
BALTIC = {
    "Lithuanian": "skaitiklis skaičius numeris adresas gatvė vilnius šiauliai panevėžys klaipėda mažeikiai ąžuolas"
    " pastaba būsena nuotrauka matavimas įrenginys įvadas įmonė už į prieš šis žemė namų butų kambarių vidurinė"
    " lietuvių trūko trūkumas būtina būsto gatvių skaitmenų"
    " įstaiga išjungtas sudėtis neįmanoma užraktas durų pastatų aukštas"
    " sąskaita sąrašas dėl ryšys tęsti kęstutis žmonių savininkas"
    " ketvirtadienis šeštadienis gegužė rugsėjis ė ū ų į š ž č",
    "Latvian": "skaitītājs rādījums numurs adrese iela rīga jūrmala liepāja rēzekne ķekava piezīme fotogrāfija"
    " bojāts nomainīts uzstādīts stāvoklis īpašnieks lietotājs mērījums ēka ģimene ļoti māja vārds uzvārds"
    " ceturtdiena sestdiena jūnijs augusts pašlaik vēl jau bērns šķirotava ņ ķ ģ ļ",
    "Estonian": "arvesti number aadress tänav märkus näit pärnu võru põlva jõgeva kohtla-järve võib õige küte elekter"
    " mõõtja mõõdik töö töötab mõõtepunkt häire ümber üks kõik või ära jaanuar märts juuni juuli põhja lõuna ida"
    " lääne maja küla suur väike",
}
CYRILLIC = {
    "Russian": "лицевой счёт счет номер счётчика счетчик показания фото ссылка адрес примечание дата улица дом квартира"
    " город москва санкт-петербург екатеринбург новосибирск область район замена исправен неисправен доступ нет да"
    " электроэнергия установлен снят опломбирован пломба подъезд этаж щит абонент потребитель проверка норма"
    " и в не на что с по это как к но из у за от для то все так был она он они мы вы же только или ещё бы до если"
    " уже при время года есть также быть очень человек работа день январь февраль март апрель май июнь июль август"
    " сентябрь октябрь ноябрь декабрь иванов петров сидоров кузнецов смирнов попов васильев объект тип состояние"
    " заводской модель однофазный трёхфазный общий расход начислено прочее комментарий хорошо плохо повреждён",
    "Ukrainian": "лічильник номер адреса вулиця місто київ львів харків одеса дніпро показання примітка фото посилання"
    " стан дата будинок квартира область район заміна справний несправний доступ немає є її їх ці що як від для"
    " або також вже між після перевірка споживач об'єкт енергія встановлено знято пломба під'їзд січень лютий"
    " березень квітень травень червень липень серпень вересень жовтень листопад грудень шевченко ґанок зв'язок",
    "Bulgarian": "електромер номер адрес улица град софия пловдив варна бургас показание забележка снимка връзка дата"
    " състояние подмяна достъп няма има изправен повреден абонат клиент вход етаж апартамент жилище област"
    " община и на за от се да не по с като това той тя те със във при към още още също съм били ъгъл път"
    " януари февруари март април май юни юли август септември октомври ноември декември иванов георгиев димитров",
    "Serbian": "бројило очитавање адреса улица град београд ниш нови сад напомена слика веза датум стање замена приступ"
    " нема има исправан оштећен корисник улаз спрат стан кућа округ општина и на за од се да не по са као то"
    " који још већ између ђорђевић јовановић николић љубић његош џеп чачак ћуприја",
}
OTHERS = {
    "Greek": "αριθμός μετρητή ρολόι φωτογραφία διεύθυνση οδός πόλη αθήνα θεσσαλονίκη πάτρα ηράκλειο παρατηρήσεις"
    " ημερομηνία κατάσταση ένδειξη λογαριασμός πελάτης όνομα επώνυμο τηλέφωνο σύνδεσμος καλή βλάβη αντικατάσταση"
    " και το να του η της με που την από για τα είναι των σε ο οι στο θα τη στην τον δεν τους στη μια στον έχει"
    " αυτό ήταν ή κατά μετά όχι ναι κτίριο όροφος παροχή ρεύμα ηλεκτρικό ιανουάριος φεβρουάριος μάρτιος απρίλιος"
    " μάιος ιούνιος ιούλιος αύγουστος σεπτέμβριος παπαδόπουλος γεωργίου εξωτερικός εσωτερικός ΰ ϋ ϊ ύ ώ",
    "Turkish": "sayaç sayacı fotoğraf fotoğrafı açıklama müşteri abone adı soyadı numarası tarih şehir ilçe mahalle"
    " istanbul İstanbul izmir İzmir eskişehir muğla şanlıurfa kırşehir çankırı niğde iğdır ığdır ağrı bağlantı bağlı"
    " değişti değiştirildi arızalı çalışıyor çalışmıyor okunamadı kapalı açık giriş çıkış bölge cadde sokağı"
    " yağmur güneş için değil şu çok daha büyük küçük gün ay yıl kış öğle doğru yanlış görüldü görüntü sağlam kırık"
    " pazartesi salı çarşamba perşembe ağustos eylül kasım aralık şubat yılmaz öztürk çelik şahin aydın doğan"
    " mühür mühürlü dağıtım işletme türkiye ünite ölçüm endeks tüketim bağ dağ oğlu kızı",
    "Hebrew": "מונה מספר מונה כתובת רחוב עיר תל אביב ירושלים חיפה באר שבע תמונה קישור הערות תאריך מצב תקין לא תקין"
    " קריאה לקוח שם משפחה טלפון דירה קומה בניין החלפה הוחלף גישה אין יש של את על הוא היא עם זה כי גם או אם אבל"
    " היה ינואר פברואר מרץ אפריל מאי יוני יולי אוגוסט ספטמבר אוקטובר נובמבר דצמבר כהן לוי מזרחי חשמל צרכן",
    "Arabic": "رقم العداد عداد عنوان شارع مدينة القاهرة الرياض جدة بغداد دمشق صورة الصورة رابط ملاحظات ملاحظة تاريخ"
    " الحالة حالة سليم تالف قراءة المشترك العميل اسم الهاتف شقة طابق مبنى استبدال تم لا نعم من في على إلى أن عن"
    " مع هذا هذه التي الذي كان ما هو هي كل بعد قبل بين أو إذا يناير فبراير مارس أبريل مايو يونيو يوليو أغسطس"
    " محمد أحمد علي حسن عبد الله الكهرباء المنطقة مكسور جيد آخر مسؤول شيء ئ ء",
    "Persian": "شماره کنتور آدرس خیابان شهر تهران اصفهان عکس پیوند توضیحات تاریخ وضعیت سالم خراب قرائت مشترک نام"
    " گزارش پلاک چاپ ژاله برق طبقه ساختمان تعویض شد است این که را از با به در می های بازدید گیلان پایان چهار",
    "Thai": "หมายเลขมิเตอร์ มิเตอร์ไฟฟ้า รูปภาพ ภาพถ่าย ลิงก์ ที่อยู่ ถนน จังหวัด กรุงเทพ เชียงใหม่ ขอนแก่น หมายเหตุ วันที่"
    " สถานะ ปกติ ชำรุด เสียหาย อ่านค่า ลูกค้า ชื่อ นามสกุล โทรศัพท์ บ้าน ห้อง ชั้น อาคาร เปลี่ยน แล้ว ไม่มี มี และ ที่ ใน"
    " ของ เป็น ได้ จะ ให้ ว่า กับ นี้ ไป มา ก็ แต่ หรือ จาก โดย มกราคม กุมภาพันธ์ มีนาคม เมษายน พฤษภาคม มิถุนายน"
    " กรกฎาคม สิงหาคม กันยายน ตุลาคม พฤศจิกายน ธันวาคม การไฟฟ้า ผู้ใช้ ตรวจสอบ ติดตั้ง ใหม่ เก่า",
}
SIMPLIFIED = (
    "的一是不了在人有我他这个们中来上大为和国地到以说时要就出会可也你对生能而子那得于着下自之年过发后作里用道行所然家种"
    "事成方多经么去法学如都同现当没动面起看定天分还进好小部其些主样理心她本前开但因只从想实日军者意无力它与长把机十民第"
    "公此已工使情明性知全三又关点正业外将两高间由问很最重并物手应战向头文体政美相见被利什二等产或新己制身果加西斯月话合"
    "回特代内信表化老给世位次度门任常先海通教儿原东声提立及比员解水名真论处走义各入几口认条平系气题活尔更别打女变四神总"
    "何电数安少报才结反受目太量再感建务做接必场件计管期市直德资命山金指克许统区保至队形社便空决治展马科司五基眼书非则听",
    "电表编号照片链接备注正常异常地址用户姓名户号日期抄表读数示数状态损坏更换安装位置小区楼栋单元室路街县镇村省北京上海广"
    "州深圳型厂家类别联系电话故障无法封印完成未检查拍摄图网序客称张王李刘陈杨黄赵周吴箱线远程智能费控单相三居民商业八七六"
    "九十百千万元月份年初末已未否是男女左右前后旧新红蓝黑白清模糊晰缺失丢拆除待核实错误台区供所班组人员时间备用说明描述",
)
TRADITIONAL = (
    "的一是不了在人有我他這個們中來上大為和國地到以說時要就出會可也你對生能而子那得於著下自之年過發後作裡用道行所然家種"
    "事成方多經麼去法學如都同現當沒動面起看定天分還進好小部其些主樣理心她本前開但因只從想實日軍者意無力它與長把機十民第"
    "公此已工使情明性知全三又關點正業外將兩高間由問很最重並物手應戰向頭文體政美相見被利什二等產或新己制身果加西斯月話合"
    "回特代內信表化老給世位次度門任常先海通教兒原東聲提立及比員解水名真論處走義各入幾口認條平系氣題活爾更別打女變四神總"
    "何電數安少報才結反受目太量再感建務做接必場件計管期市直德資命山金指克許統區保至隊形社便空決治展馬科司五基眼書非則聽",
    "電錶編號照片連結備註正常異常地址用戶姓名戶號日期抄表讀數狀態損壞更換安裝位置樓層單元室路街縣鎮村里臺台北高雄中南新竹"
    "桃園型廠牌類聯絡電話故障封印完成未檢查拍攝圖網序客稱張王李劉陳楊黃趙周吳林箱線遠端智慧費租商業八七六九十百千萬元份"
    "初末否是男女左右舊紅藍黑白清模糊缺失拆除待核實錯誤供所班組員時間說明描述香港九龍灣仔號碼圖片門牌巷弄段",
)
KANJI = (
    "日一人年大国会中本長出三同時政事自行社見月分議後前民生連五発間対上部東者党地合市業内相方四定今回新場金員九入選立開"
    "手米力学問高代明実円関決子動京全目表戦経通外最言氏現理調体化田当八六約主題下首意法不来作性的要用制治度務強気小七成"
    "期公野協取都和統以機平総加山思家話世受区領多県続進正安設保改数記院女初北午指権心界支第産結百派点教報済書府活原先共"
    "得解名交資予川向際査勝面委告軍文反元重近千考判認画海参売利組知案道信策集在件団別物側任引使求所次水半品昨論計死官増"
    "係感特情投示変打男基私各始島直両朝革価式確村提運終挙果西勢減台広容必応演電歳住争談能無再位置企真流格有疑口過局少放",
    "電力計器番号写真画像備考住所氏名契約者検針値指示交換取付設置状態異常正常故障破損確認済未完了担当日付時刻電話建物階室"
    "丁目町区東京都大阪府京都神奈川愛知福岡北海道札幌名古屋横浜神戸仙台広島封印使用量顧客様型式製造年月単相三相屋外屋内良"
    "不可要否旧新古赤青黒白左右上下前後奥入口玄関裏側暗明読取困難再撮影連絡先電柱分電盤鈴木佐藤田中高橋伊藤渡辺山本中村小林加",
)
KANA = (
    "メーター番号リンクコメントデータシステムスマートメーターガスカメラファイルアドレスマンションアパートビルフロアドアキーシール"
    "ラベルナンバープレートセンターサービスユーザーエラーチェックのにはをがでとしたてるなれさいかもらこことある"
    "ましたですますないするからまでよりこのそのあのため場合ならにつきありなしできませんおりました読みにくい見えないきれいよごれ"
    "トイレベランダエレベーターポストテストノートバーコードスキャンパイプクリアサンプルモデルタイプテーブルオンオフ"
    "さくらひまわりみどりあおぞらグリーンハイツコーポメゾンシティパレスぁぃぅぇぉっゃゅょッャュョヴー・「」、。"
)
HANGUL = (
    "이다는의을가에를은한로고기지하도사자어시인서대리정해나아그일전수보부상있장원공제적과스주들으동조선게와생성구관비만년신라"
    "것경면여세라방국진소용계중무안유화마실물음입체간등문연우회당내치결교발단요위개영분미모된할될니까거때명식학없",
    "계량기번호사진링크주소비고정상고장교체날짜고객이름전화아파트동호층도로구군서울부산대구인천광주대전울산경기강원충청전라"
    "경상제주검침값지침상태파손확인완료미완료담당자설치위치설명메모단상삼상전력사용량양호불량전기스마트원격봉인건물현관복도"
    "외부내부계약종별김이박최정강조윤장임한오서신권황안송류홍월화수목금토일요",
)
HALF_WIDTH = (
    "ﾒｰﾀｰ ﾊﾞﾝｺﾞｳ ｼｬｼﾝ ﾘﾝｸ ﾋﾞｺｳ ｼﾞｭｳｼｮ ｼﾒｲ ｹﾝｼﾝ ｱﾊﾟｰﾄ ﾏﾝｼｮﾝ ﾋﾞﾙ ﾄﾞｱ ｶｷﾞ ｶﾞﾗｽ ﾜﾚ ﾖﾐﾄﾘ ﾌｶ ﾘｮｳｺｳ ﾌｳｲﾝ ｽｽﾞｷ ｻﾄｳ ﾀﾅｶ ﾔﾏﾓﾄ"
    " ﾄｳｷｮｳ ｵｵｻｶ ﾅｺﾞﾔ ﾌｸｵｶ ﾎｯｶｲﾄﾞｳ ﾃﾞﾝﾜ ｻｲｽﾞ ﾃﾞｰﾀ ｾｲｼﾞｮｳ ｲｼﾞｮｳ ﾍﾝｺｳ ﾎﾟｽﾄ ﾈｼﾞ ﾇﾚ ﾍﾞﾗﾝﾀﾞ ﾕｰｻﾞｰ ｴﾗｰ ﾓﾃﾞﾙ ﾑﾘ"
)
SIGNS = "°€–—’‘“”„²³½§±µ×…«»·№©®¿¡£´`ºª\u00a0•"
USUAL_SIGNS = "°€–’³²"
"""What stands in texts of every language."""
EAST_ASIAN_SIGNS = "，。、：；（）《》「」『』！？　・～－“”·①②③％／＃＆０１２３４５６７８９"
