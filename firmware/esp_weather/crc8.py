"""The checksum of Sensirion's and Aosong's sensors: x8 + x5 + x4 + 1, from 0xFF on."""


def check(data: bytes | bytearray | memoryview) -> None:
    """Raise ValueError unless the last byte is the checksum of the others."""
    crc = 0xFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc << 1 ^ (0x31 if crc & 0x80 else 0)) & 0xFF
    if crc:
        raise ValueError("its checksum is wrong")
