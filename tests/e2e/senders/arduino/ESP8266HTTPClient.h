#pragma once
#include "ESP8266WiFi.h"

class HTTPClient {
 public:
  bool begin(WiFiClient& client, const String& url) {
    client_ = &client;
    std::string rest = url.substr(url.find("//") + 2);
    host_ = rest.substr(0, rest.find('/'));
    uri_ = rest.substr(rest.find('/'));
    return true;
  }

  void addHeader(const String& name, const String& value) {
    headers_ += name + ": " + value + "\r\n";
  }

  int POST(const String& payload) {
    std::string port = host_.substr(host_.find(':') + 1);
    if (!client_->connect(host_.substr(0, host_.find(':')).c_str(), port.c_str()))
      return -1;
    addHeader("Content-Length", std::to_string(payload.size()).c_str());
    client_->write("POST " + uri_ + " HTTP/1.1\r\nHost: " + host_ +
                   "\r\nUser-Agent: ESP8266HTTPClient\r\nConnection: close\r\n"
                   "Accept-Encoding: identity;q=1,chunked;q=0.1,*;q=0\r\n" +
                   headers_ + "\r\n");
    client_->write(payload);
    std::string answer = client_->readAll();
    if (answer.rfind("HTTP/1.1 ", 0) != 0) return -7;
    body_ = answer.substr(answer.find("\r\n\r\n") + 4);
    return std::stoi(answer.substr(9));
  }

  String getString() { return body_; }
  void end() { client_->stop(); }

 private:
  WiFiClient* client_ = nullptr;
  std::string host_, uri_, headers_, body_;
};
