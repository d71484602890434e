"""A list as offices send them: titles above the headers, two coordinate systems, every mistake."""

from __future__ import annotations

from core.geo import Position
from towers.coordinate_systems import from_wgs84, system

CAO_LANH = Position(10.44904, 105.61463)
SA_DEC = Position(10.35497, 105.73728)
MY_THO = Position(10.31708, 106.38748)
HONG_NGU = Position(10.86022, 105.37733)
ZONE, OTHER_ZONE = 9210, 5897

TITLES = (
    "SỞ KHOA HỌC VÀ CÔNG NGHỆ TỈNH ĐỒNG THÁP;;;;;;;;;;",
    "DANH SÁCH CỘT ĂNG TEN NĂM 2026;;;;;;;;;;",
    ";;;;;;;;;;",
)
HEADERS = (
    "STT;Mã trạm;Tên trạm;Loại cột;Chiều cao cột (m);Vĩ độ;Kinh độ;Hệ tọa độ;Xã, phường;"
    "Chủ sở hữu;Người lập"
)
# The rows of the file by what becomes of them, as an editor counts them.
NEW, CHANGED, SAME = (5, 6), (15,), (16,)
WRONG = {7: "swapped", 10: "twice", 13: "no such type", 14: "other letters"}
SUSPICIOUS, DUPLICATE = (8, 9), (11, 12)


def shifted(position: Position, north_m: float) -> Position:
    return Position(round(position.latitude + north_m / 110_600, 6), position.longitude)


def known(north_m: float = 0) -> bytes:
    """What the register has before: one of them will change, the other will not."""
    first, second = shifted(HONG_NGU, north_m), shifted(HONG_NGU, north_m + 2200)
    return (
        "Mã,Tên,Loại cột,Chiều cao,Vĩ độ,Kinh độ,Chủ sở hữu,Xã phường\n"
        f"CU-001,Trạm Hồng Ngự 1,Dây co,30,{first.latitude},{first.longitude},VNPT,"
        "Phường Hồng Ngự\n"
        f"CU-002,Trạm Hồng Ngự 2,Dây co,36,{second.latitude},{second.longitude},VNPT,"
        "Phường Hồng Ngự\n"
    ).encode()


def decimal(number: float, digits: int = 6) -> str:
    return f"{number:.{digits}f}".replace(".", ",")


def degrees(position: Position, north_m: float = 0) -> str:
    """Latitude and longitude with decimal commas, moved north by so many metres."""
    there = shifted(position, north_m)
    return f"{decimal(there.latitude)};{decimal(there.longitude)}"


def metres(position: Position, srid: int = ZONE) -> str:
    """Northing and easting, as papers have them."""
    x, y = from_wgs84(position, system(srid))
    return f"{decimal(y, 2)};{decimal(x, 2)}"


def messy(north_m: float = 0) -> bytes:
    """The file, all places moved by so many metres; UTF-8, but for one row of an old program."""
    cao_lanh, sa_dec, my_tho, hong_ngu = (
        shifted(place, north_m) for place in (CAO_LANH, SA_DEC, MY_THO, HONG_NGU)
    )
    swapped = ";".join(reversed(degrees(SA_DEC).split(";")))
    rows = [
        f"NB-001;Trạm Cao Lãnh 1;Tự đứng;42,5;{degrees(cao_lanh)};WGS 84;Phường Cao Lãnh;Viettel",
        f"NB-002;Trạm Sa Đéc 1;Đơn thân;30;{metres(sa_dec)};VN-2000 105°45';Phường Sa Đéc;VNPT",
        f"NB-003;Trạm Sa Đéc 2;Đơn thân;30;{swapped};WGS 84;Phường Sa Đéc;VNPT",
        f"NB-004;Trạm Sa Đéc 3;Đơn thân;30;{degrees(cao_lanh, 900)};WGS 84;Phường Sa Đéc;VNPT",
        f"NB-005;Trạm Mỹ Tho 1;Đơn thân;30;{metres(my_tho, OTHER_ZONE)};VN-2000 105°45';"
        "Phường Mỹ Tho;VNPT",
        f"NB-001;Trạm Cao Lãnh 9;Đơn thân;30;{degrees(sa_dec, 3000)};WGS 84;Phường Sa Đéc;VNPT",
        f"NB-006;Cột cũ;Đơn thân;30;{degrees(cao_lanh, 20)};WGS 84;Phường Cao Lãnh;Viettel",
        f"NB-007;TRAM CAO LANH 01;Đơn thân;30;{degrees(cao_lanh, 226)};WGS 84;Phường Cao Lãnh;"
        "Mobifone",
        f"NB-008;Trạm lạ;Thang máy;30;{degrees(sa_dec, -900)};WGS 84;Phường Sa Đéc;VNPT",
        "",
        f"CU-001;Trạm Hồng Ngự 1;Dây co;33;{degrees(hong_ngu)};WGS 84;Phường Hồng Ngự;VNPT",
        f"CU-002;Trạm Hồng Ngự 2;Dây co;36;{degrees(hong_ngu, 2200)};WGS 84;Phường Hồng Ngự;VNPT",
    ]
    lines = [line.encode() for line in (*TITLES, HEADERS)]
    for number, row in enumerate(rows, start=1):
        if row:
            lines.append(f"{number};{row};Nguyễn Văn A".encode())
        else:
            old = f"{number};NB-009;Quán cà phê;monopole;30;{degrees(sa_dec, 900)};;;VNPT;"
            lines.append(old.encode("cp1252"))
    return b"\r\n".join(lines) + b"\r\n"
