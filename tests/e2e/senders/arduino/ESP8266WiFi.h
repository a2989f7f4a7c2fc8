#pragma once
#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

#include "Arduino.h"

enum { WL_CONNECTED = 3, WIFI_STA = 1 };

struct Station {
  void mode(int) {}
  void begin(const char*, const char*) {}
  int status() { return WL_CONNECTED; }
  String macAddress() { return std::getenv("MAC"); }
};
inline Station WiFi;

class WiFiClient {
 public:
  ~WiFiClient() { stop(); }

  bool connect(const char* host, const char* port) {
    addrinfo wanted{}, *found = nullptr;
    wanted.ai_socktype = SOCK_STREAM;
    if (getaddrinfo(host, port, &wanted, &found)) return false;
    socket_ = ::socket(found->ai_family, found->ai_socktype, 0);
    bool connected = ::connect(socket_, found->ai_addr, found->ai_addrlen) == 0;
    freeaddrinfo(found);
    return connected;
  }

  void write(const std::string& data) {
    if (::send(socket_, data.data(), data.size(), 0) < 0) std::perror("send");
  }

  std::string readAll() {
    std::string data;
    char part[1024];
    for (ssize_t length; (length = ::recv(socket_, part, sizeof part, 0)) > 0;)
      data.append(part, length);
    return data;
  }

  void stop() {
    if (socket_ >= 0) ::close(socket_);
    socket_ = -1;
  }

 private:
  int socket_ = -1;
};
