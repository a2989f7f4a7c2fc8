// What a sketch for an ESP8266 uses, on this computer: the same calls over POSIX
// sockets, and the same bytes on the wire. For tests/e2e/test_senders.py.
#pragma once
#include <cmath>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <string>

class String : public std::string {
 public:
  String(const char* text) : std::string(text) {}
  String(const std::string& text) : std::string(text) {}
  String(float value) : std::string(std::isnan(value) ? "nan" : format(value)) {}

 private:
  static std::string format(float value) {
    char text[32];
    std::snprintf(text, sizeof text, "%.2f", value);
    return text;
  }
};

inline String operator+(const String& left, const String& right) {
  return String(static_cast<const std::string&>(left) +
                static_cast<const std::string&>(right));
}
inline String operator+(const String& left, const char* right) {
  return left + String(right);
}

struct SerialPort {
  void begin(int) {}
  void printf(const char* format, ...) {
    va_list arguments;
    va_start(arguments, format);
    std::vprintf(format, arguments);
    va_end(arguments);
  }
};
inline SerialPort Serial;

// One round of loop() is all that the test wants to see.
[[noreturn]] inline void delay(unsigned long) {
  std::fflush(stdout);
  std::exit(0);
}
