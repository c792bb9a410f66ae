#pragma once
// libarchive converts names by the calling thread's locale. Packing and unpacking must not depend on the
// user's, so each runs its libarchive calls in a fixed one. Internal to layers.
#include <locale.h>

#include "base/error.h"

namespace slipway {

class ArchiveLocale {
 public:
  /// "C.UTF-8" to write: names that are UTF-8 go into pax records as they are, others with hdrcharset=BINARY.
  /// "C" to read: names stay the bytes they are (in a UTF-8 locale libarchive would normalise them to NFC,
  /// and two files could become one).
  explicit ArchiveLocale(const char* name) : locale_(::newlocale(LC_CTYPE_MASK, name, nullptr)) {
    if (!locale_) throw HostError(std::string("this system has no locale ") + name);
    before_ = ::uselocale(locale_);
  }
  ArchiveLocale(const ArchiveLocale&) = delete;
  ArchiveLocale& operator=(const ArchiveLocale&) = delete;
  ~ArchiveLocale() {
    ::uselocale(before_);
    ::freelocale(locale_);
  }

 private:
  locale_t locale_ = nullptr;
  locale_t before_ = nullptr;
};

}  // namespace slipway
