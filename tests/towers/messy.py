"""A list as offices send them: titles above the headers, two coordinate systems, every mistake."""

from __future__ import annotations

from core.geo import Position
from towers.coordinate_systems import from_wgs84, system

CAO_LANH = Position(10.44904, 105.61463)
SA_DEC = Position(10.35497, 105.73728)
MY_THO = Position(10.31708, 106.38748)
HONG_NGU = Position(10.86022, 105.37733)
ZONE, OTHER_ZONE = 9210, 5897

# What the register has before: one of them will change, the other will not.
KNOWN = (
    "Mã,Tên,Loại cột,Chiều cao,Vĩ độ,Kinh độ,Chủ sở hữu,Xã phường\n"
    f"CU-001,Trạm Hồng Ngự 1,Dây co,30,{HONG_NGU.latitude},{HONG_NGU.longitude},VNPT,"
    "Phường Hồng Ngự\n"
    f"CU-002,Trạm Hồng Ngự 2,Dây co,36,{HONG_NGU.latitude + 0.02:.6f},{HONG_NGU.longitude},VNPT,"
    "Phường Hồng Ngự\n"
)
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


def decimal(number: float, digits: int = 6) -> str:
    return f"{number:.{digits}f}".replace(".", ",")


def degrees(position: Position, north_m: float = 0) -> str:
    """Latitude and longitude with decimal commas, moved north by so many metres."""
    return f"{decimal(position.latitude + north_m / 110_600)};{decimal(position.longitude)}"


def metres(position: Position, srid: int = ZONE) -> str:
    """Northing and easting, as papers have them."""
    x, y = from_wgs84(position, system(srid))
    return f"{decimal(y, 2)};{decimal(x, 2)}"


def messy() -> bytes:
    """The file: UTF-8, but for one row that somebody added with an old program."""
    swapped = ";".join(reversed(degrees(SA_DEC).split(";")))
    rows = [
        f"NB-001;Trạm Cao Lãnh 1;Tự đứng;42,5;{degrees(CAO_LANH)};WGS 84;Phường Cao Lãnh;Viettel",
        f"NB-002;Trạm Sa Đéc 1;Đơn thân;30;{metres(SA_DEC)};VN-2000 105°45';Phường Sa Đéc;VNPT",
        f"NB-003;Trạm Sa Đéc 2;Đơn thân;30;{swapped};WGS 84;Phường Sa Đéc;VNPT",
        f"NB-004;Trạm Sa Đéc 3;Đơn thân;30;{degrees(CAO_LANH, 900)};WGS 84;Phường Sa Đéc;VNPT",
        f"NB-005;Trạm Mỹ Tho 1;Đơn thân;30;{metres(MY_THO, OTHER_ZONE)};VN-2000 105°45';"
        "Phường Mỹ Tho;VNPT",
        f"NB-001;Trạm Cao Lãnh 9;Đơn thân;30;{degrees(SA_DEC, 3000)};WGS 84;Phường Sa Đéc;VNPT",
        f"NB-006;Cột cũ;Đơn thân;30;{degrees(CAO_LANH, 20)};WGS 84;Phường Cao Lãnh;Viettel",
        f"NB-007;TRAM CAO LANH 01;Đơn thân;30;{degrees(CAO_LANH, 226)};WGS 84;Phường Cao Lãnh;"
        "Mobifone",
        f"NB-008;Trạm lạ;Thang máy;30;{degrees(SA_DEC, -900)};WGS 84;Phường Sa Đéc;VNPT",
        "",
        f"CU-001;Trạm Hồng Ngự 1;Dây co;33;{degrees(HONG_NGU)};WGS 84;Phường Hồng Ngự;VNPT",
        f"CU-002;Trạm Hồng Ngự 2;Dây co;36;{degrees(HONG_NGU, 0.02 * 110_600)};WGS 84;"
        "Phường Hồng Ngự;VNPT",
    ]
    lines = [line.encode() for line in (*TITLES, HEADERS)]
    for number, row in enumerate(rows, start=1):
        if row:
            lines.append(f"{number};{row};Nguyễn Văn A".encode())
        else:
            old = f"{number};NB-009;Quán cà phê;monopole;30;{degrees(SA_DEC, 900)};;;VNPT;"
            lines.append(old.encode("cp1252"))
    return b"\r\n".join(lines) + b"\r\n"
