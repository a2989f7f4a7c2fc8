// The Arduino IDE includes Arduino.h by itself.
#include "Arduino.h"
// The sketch, as it stands in examples/ but for what its user fills in
#include "sketch.ino"

int main() {
  setup();
  for (;;) loop();
}
