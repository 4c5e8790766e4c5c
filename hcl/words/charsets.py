"""The charsets of mail: the names that mails have for them, in a fixed list.

Python remembers each name that it is asked for, and mails come from anywhere.
"""

import re
from functools import cache

# Codecs, and the names of each as they are squeezed: small letters and digits alone.
# What is called ASCII is UTF-8 nowadays, if it is not ASCII. Some names are taken for
# those of the larger sets that mail programs write under them, as browsers do.
_NAMES = {
    "utf-8": "utf8 unicode11utf8 csutf8 cp65001 ascii usascii csascii 646 iso646us"
    " iso646irv ansix341968 isoir6 ansi ibm367 cp367 us",
    "utf-7": "utf7 unicode11utf7 csutf7 cp65000",
    "utf-16": "utf16 unicode ucs2 iso10646ucs2 csunicode",
    "utf-16-le": "utf16le",
    "utf-16-be": "utf16be",
    "utf-32": "utf32 ucs4 iso10646ucs4",
    "utf-32-le": "utf32le",
    "utf-32-be": "utf32be",
    "cp1252": "iso88591 latin1 l1 csisolatin1 isoir100 88591 cp819 ibm819",
    "iso8859-2": "iso88592 latin2 l2 csisolatin2 isoir101 88592",
    "iso8859-3": "iso88593 latin3 l3 csisolatin3 isoir109 88593",
    "iso8859-4": "iso88594 latin4 l4 csisolatin4 isoir110 88594",
    "iso8859-5": "iso88595 cyrillic csisolatincyrillic isoir144 88595",
    "iso8859-6": "iso88596 arabic csisolatinarabic iso88596e iso88596i isoir127 88596"
    " asmo708 ecma114",
    "iso8859-7": "iso88597 greek greek8 csisolatingreek isoir126 88597 elot928 ecma118",
    "iso8859-8": "iso88598 hebrew csisolatinhebrew iso88598e iso88598i isoir138 88598",
    "cp1254": "iso88599 latin5 l5 csisolatin5 isoir148 88599",
    "iso8859-10": "iso885910 latin6 l6 csisolatin6 isoir157",
    "cp874": "iso885911 tis620 windows874 dos874 ibm874",
    "iso8859-13": "iso885913 latin7 l7",
    "iso8859-14": "iso885914 latin8 l8 isoceltic isoir199",
    "iso8859-15": "iso885915 latin9 l9 latin0",
    "iso8859-16": "iso885916 latin10 l10 isoir226",
    "cp932": "shiftjis sjis csshiftjis mskanji xsjis windows31j cswindows31j ms932"
    " shiftjisms",
    "euc_jp": "eucjp xeucjp cseucpkdfmtjapanese ujis",
    "iso2022_jp_ext": "iso2022jp csiso2022jp iso2022jp1 iso2022jpms iso2022jpext"
    " cp50220 cp50221 cp50222 csiso2022jp2",
    "iso2022_jp_2": "iso2022jp2",
    "iso2022_jp_2004": "iso2022jp3 iso2022jp2004",
    "cp949": "euckr cseuckr ksc56011987 ksc5601 ksc56011989 csksc56011987 korean uhc"
    " isoir149 ms949",
    "iso2022_kr": "iso2022kr csiso2022kr",
    "johab": "johab cp1361 ms1361",
    "gb18030": "gb18030 gb2312 csgb2312 gb231280 csiso58gb231280 gbk xgbk euccn"
    " eucgb2312cn chinese isoir58 ms936",
    "hz": "hz hzgb hzgb2312",
    "big5hkscs": "big5 csbig5 big5hkscs xxbig5 cnbig5 big5tw eten ms950",
    "koi8-r": "koi8r koi8 koi cskoi8r",
    "koi8-u": "koi8u koi8ru",
    "ptcp154": "ptcp154 csptcp154 cp154 cyrillicasian",
    "kz1048": "kz1048 strk10482002 rk1048",
    "mac-roman": "macintosh mac macroman xmacroman csmacintosh",
    "mac-cyrillic": "maccyrillic xmaccyrillic xmacukrainian",
    "mac-latin2": "maccentraleurope xmacce macce",
    "mac-greek": "macgreek xmacgreek",
    "mac-turkish": "macturkish xmacturkish",
    "mac-iceland": "maciceland xmacicelandic",
    "hp-roman8": "hproman8 roman8 r8 cshproman8",
}
# Code pages of DOS and of Windows, which have many names each.
_PAGES = (
    *(437, 720, 737, 775, 850, 852, 855, 857, 858, 860, 861, 862, 863, 864, 865, 866),
    *(869, 874, 932, 949, 950, *range(1250, 1259)),
)
_LONGEST = 40
_YEAR = re.compile(r":\d{4}\Z", re.ASCII)
_BETWEEN = re.compile(r"[^a-z0-9]+")


def codec_of(name: str) -> str:
    """Return the codec of Python for a charset of mail; "" if there is none."""
    if len(name) > _LONGEST:
        return ""
    return _codecs().get(_BETWEEN.sub("", _YEAR.sub("", name.lower())), "")


@cache
def _codecs() -> dict[str, str]:
    """Return the codec of each name, made when the first mail asks for one."""
    named = {name: codec for codec, names in _NAMES.items() for name in names.split()}
    pages = {
        f"{prefix}{page}": f"cp{page}"
        for page in _PAGES
        for prefix in ("cp", "windows", "cswindows", "xcp", "ibm", "csibm", "dos", "")
    }
    # Chinese of Windows has no codec of its own.
    chinese = dict.fromkeys(("cp936", "windows936", "936"), "gb18030")
    return named | pages | chinese
