#pragma once
// The value of a flag that is a list, as buildx writes them: "type=oci,dest=out.tar".
#include <initializer_list>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "content/layers.h"

namespace slipway {

/// Each taker removes what it takes; what is left in the end nobody knows. All throw UsageError that begins
/// with the flag's name.
class Attributes {
 public:
  Attributes(std::string flag, std::string_view text);

  /// Empty if it is not there.
  std::string take(const std::string& key);
  /// Else the first of the environment's variables that is set, and not to nothing.
  std::string take_or_variable(const std::string& key, std::initializer_list<const char*> variables);
  bool take_bool(const std::string& key, bool fallback);
  /// compression= and compression-level=; nothing if neither is there.
  struct ChosenCompression {
    Compression compression = Compression::Gzip;
    int level = -1;
  };
  std::optional<ChosenCompression> take_compression();
  /// `known` are what was taken, for a hint.
  void refuse_rest(const std::vector<std::string>& known) const;

 private:
  const std::string flag_;
  std::map<std::string, std::string> values_;
};

}  // namespace slipway
