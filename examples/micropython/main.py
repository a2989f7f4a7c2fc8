"""A DHT22 on a board with MicroPython that reports to ESP Weather in Home Assistant.

To keep readings over an outage and to sign reports, use our firmware instead.
"""

import socket
import time

import dht
import machine
import network

WIFI = ("Home", "password")
SERVER = ("192.168.1.10", 8123)  # Home Assistant
KEY = "PHDNGI2345"  # as its dialog shows it
SENSOR = dht.DHT22(machine.Pin(4))
INTERVAL = 60  # seconds

wlan = network.WLAN(network.STA_IF)
wlan.active(True)
wlan.connect(*WIFI)


def report():
    SENSOR.measure()
    mac = ":".join("%02x" % octet for octet in wlan.config("mac"))
    form = "api_key=%s&mac=%s" % (KEY, mac)
    form += "&field1=%.1f&field2=%.1f" % (SENSOR.temperature(), SENSOR.humidity())
    connection = socket.socket()
    try:
        connection.settimeout(10)
        connection.connect(socket.getaddrinfo(*SERVER)[0][-1])
        connection.write(
            "POST /update HTTP/1.0\r\nHost: %s\r\nContent-Length: %d\r\n\r\n%s"
            % (SERVER[0], len(form), form)
        )
        # HTTP/1.0 200: taken; 503: not named yet; 401: wrong key
        print(connection.read(12))
    finally:
        connection.close()


while True:
    try:
        report()
    except OSError as err:  # No Wi-Fi, no server, or the sensor does not answer
        print(err)
    time.sleep(INTERVAL)
