"""Error values of spreadsheet programs (`#REF!`, `#N/A`, ...): a person has to correct a formula, not to find a URL."""

from __future__ import annotations

import re

_WORDS = """
    #REF! #N/A #VALUE! #NAME? #DIV/0! #NULL! #NUM! #SPILL! #CALC! #GETTING_DATA #FIELD! #BLOCKED! #CONNECT! #BUSY!
    #UNKNOWN! #EXTERNAL! #PYTHON! #TIMEOUT! #DATA! #EXTRACTED! #LOADING! #ERROR! #ERROR #LOADING #LOADING... #NAME #N/A!
    Loading...
    #BEZUG! #WERT! #NV #ZAHL! #ÜBERLAUF! #FELD! #UNBEKANNT! #BLOCKIERT! #VERBINDEN! #BESCHÄFTIGT!
    #¡REF! #¡VALOR! #¿NOMBRE? #¡NOMBRE? #¡DIV/0! #¡NULO! #¡NUM! #¡NUM! #N/D #¡DESBORDAMIENTO! #¡CALC!
    #VALEUR! #NOM? #NOMBRE! #NUL! #PROPAGATION! #EPARS! #ÉPARS!
    #VALOR! #NOME? #NÚM! #NULO! #DESPEJAR!
    #RIF! #VALORE! #NULLO! #ESPANSIONE!
    #VERW! #WAARDE! #NAAM? #DEEL/0! #LEEG! #GETAL! #N/B #OVERLOOP!
    #ADR! #ARG! #NAZWA? #DZIEL/0! #ZERO! #LICZBA! #ROZLANIE!
    #ССЫЛКА! #ЗНАЧ! #ИМЯ? #ДЕЛ/0! #ПУСТО! #ЧИСЛО! #Н/Д #ПЕРЕНОС! #ВЫЧИСЛ!
    #BAŞV! #DEĞER! #AD? #SAYI/0! #BOŞ! #SAYI! #YOK #TAŞMA!
    #REFERENS! #VÄRDEFEL! #NAMN? #DIVISION/0! #SKÄRNING! #OGILTIGT! #SAKNAS! #SPILL!
    #VÆRDI! #NAVN? #REFERENCE! #NUL! #I/T #VERDI! #FEIL!
    #PUUTTUU! #ARVO! #NIMI? #JAKO/0! #VIITTAUS! #TYHJÄ! #LUKU!
    #ODKAZ! #HODNOTA! #NÁZEV? #DĚLENÍ_NULOU! #ČÍSLO! #NENÍ_K_DISPOZICI #NEDOSTUPNÝ
    #HIV! #ÉRTÉK! #NÉV? #ZÉRÓOSZTÓ! #NULLA! #SZÁM! #HIÁNYZIK
"""
# English first, then what LibreOffice, Google and newer Excel say, then one line per language.
ERRORS = frozenset(_WORDS.split())
_OF_LIBRE_OFFICE = re.compile(r"(?:Err|Fehler|Erreur|Fout|Błąd|Ошибка)\s?:\s?5\d\d")


def is_error(text: str) -> bool:
    """Return whether a cell's text is an error value, of any program and language that is known."""
    text = text.strip()
    return text in ERRORS or (len(text) < 20 and _OF_LIBRE_OFFICE.fullmatch(text) is not None)
