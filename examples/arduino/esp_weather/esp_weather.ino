// A DHT22 on an ESP8266 or ESP32 that reports to ESP Weather in Home Assistant.
// Libraries: "DHT sensor library" by Adafruit. Fill in the five lines below.
#ifdef ESP32
#include <HTTPClient.h>
#include <WiFi.h>
#else
#include <ESP8266HTTPClient.h>
#include <ESP8266WiFi.h>
#endif
#include <DHT.h>

const char WIFI_NAME[] = "Home";
const char WIFI_PASSWORD[] = "password";
const char SERVER[] = "http://192.168.1.10:8123";  // Home Assistant
const char KEY[] = "PHDNGI2345";                   // as its dialog shows it
DHT sensor(4, DHT22);                              // on GPIO 4

const unsigned long INTERVAL = 60000;  // milliseconds

void setup() {
  Serial.begin(115200);
  WiFi.mode(WIFI_STA);
  WiFi.begin(WIFI_NAME, WIFI_PASSWORD);
  sensor.begin();
}

void loop() {
  // A value that the sensor could not measure is "nan", which Home Assistant refuses.
  String form = String("api_key=") + KEY + "&mac=" + WiFi.macAddress() +
                "&field1=" + String(sensor.readTemperature()) +
                "&field2=" + String(sensor.readHumidity());
  if (WiFi.status() == WL_CONNECTED) {
    WiFiClient client;
    HTTPClient http;
    http.begin(client, String(SERVER) + "/update");
    http.addHeader("Content-Type", "application/x-www-form-urlencoded");
    int status = http.POST(form);  // 200: taken; 503: not named yet; 401: wrong key
    Serial.printf("%d %s\n", status, http.getString().c_str());
    http.end();
  }
  delay(INTERVAL);
}
