// RUN --mount=type=…,option=value,…
//
// Options are of two kinds. Texts (target, source, id, from) stay as they are written, lowering puts their
// variables in. All others have a form that can be wrong: they are read here, and read again with their
// values if they hold variables.
#include <algorithm>
#include <utility>

#include "base/strings.h"
#include "dockerfile/commands.h"
#include "dockerfile/csv_fields.h"
#include "dockerfile/flags.h"
#include "dockerfile/size_text.h"
#include "dockerfile/text_error.h"

namespace slipway::dockerfile {
namespace {

struct TypeName {
  std::string_view name;
  MountType type;
};
constexpr TypeName kTypes[] = {{"bind", MountType::Bind},
                               {"cache", MountType::Cache},
                               {"tmpfs", MountType::Tmpfs},
                               {"secret", MountType::Secret},
                               {"ssh", MountType::Ssh}};

/// One name per option; aliases are taken for it.
const std::vector<std::string>& known_options() {
  static const std::vector<std::string> kKnown = {"type",     "target",    "source",   "from", "id",
                                                  "readonly", "readwrite", "required", "size", "sharing",
                                                  "mode",     "uid",       "gid",      "env"};
  return kKnown;
}

std::string canonical_name(std::string_view written) {
  std::string key = to_lower(written);
  if (key == "dst" || key == "destination") return "target";
  if (key == "src") return "source";
  if (key == "ro") return "readonly";
  if (key == "rw") return "readwrite";
  return key;
}

class MountReader {
 public:
  MountReader(const Dockerfile& file, const Flag& flag, const MountValue& value_of)
      : file_(file), flag_(flag), value_of_(value_of) {
    out_.flag = &flag;
  }

  MountSpec read() {
    std::vector<std::string> fields;
    try {
      fields = csv_fields(flag_.value);
    } catch (const TextError& error) {
      refuse(error.message());
    }
    for (const std::string& field : fields) options_.push_back(option_of(field));
    read_type();
    for (const Option& option : options_) read_option(option);
    if (type_known_) check_whole();
    return std::move(out_);
  }

 private:
  struct Option {
    std::string name;     ///< canonical
    std::string written;  ///< the key as it stands there
    std::optional<std::string> value;
  };

  [[noreturn]] void refuse(const std::string& what) const {
    throw InvalidInput(concat("--mount: ", what), file_.at(flag_));
  }

  Option option_of(const std::string& field) const {
    const std::size_t equals = field.find('=');
    Option out;
    out.written = field.substr(0, equals);
    out.name = canonical_name(out.written);
    if (equals != std::string::npos) out.value = field.substr(equals + 1);
    const std::vector<std::string>& known = known_options();
    if (std::find(known.begin(), known.end(), out.name) != known.end()) return out;
    InvalidInput error(concat("--mount does not know the option \"", out.written.substr(0, 80), "\""),
                       file_.at(flag_));
    if (const auto near = closest_match(out.name, known))
      error.set_hint(concat("did you mean \"", *near, "\"?"));
    throw error;
  }

  bool holds_variable(const std::string& value) const {
    return value.find_first_of("$'\"") != std::string::npos || value.find(file_.escape) != std::string::npos;
  }

  /// The value an option of a fixed form has, or nothing if that is known only when variables are.
  std::optional<std::string> settled(const Option& option) {
    if (!option.value) refuse(concat("\"", option.written, "\" needs a value: ", option.written, "=…"));
    if (!holds_variable(*option.value)) return *option.value;
    if (value_of_) return value_of_(*option.value);
    out_.deferred = true;
    return std::nullopt;
  }

  void read_type() {
    for (const Option& option : options_) {
      if (option.name != "type") continue;
      const std::optional<std::string> value = settled(option);
      type_known_ = value.has_value();
      if (value) out_.type = type_of(*value);
    }
  }

  MountType type_of(const std::string& value) const {
    const std::string lower = to_lower(value);
    std::vector<std::string> names;
    for (const TypeName& known : kTypes) {
      if (lower == known.name) return known.type;
      names.emplace_back(known.name);
    }
    InvalidInput error(
        concat("unknown mount type \"", value.substr(0, 80), "\"; there are ", join(names, ", ")),
        file_.at(flag_));
    if (const auto near = closest_match(lower, names)) error.set_hint(concat("did you mean ", *near, "?"));
    throw error;
  }

  std::string_view type_name() const {
    for (const TypeName& known : kTypes)
      if (known.type == out_.type) return known.name;
    return {};
  }

  void only_for(const Option& option, std::initializer_list<MountType> types) const {
    if (!type_known_ || std::find(types.begin(), types.end(), out_.type) != types.end()) return;
    std::vector<std::string> names;
    for (const TypeName& known : kTypes)
      if (std::find(types.begin(), types.end(), known.type) != types.end()) names.emplace_back(known.name);
    refuse(
        concat("\"", option.written, "\" is for type ", join(names, ", "), ", not for type ", type_name()));
  }

  void read_option(const Option& option) {
    const std::string& name = option.name;
    if (name == "type") return;
    if (name == "target" || name == "source" || name == "from" || name == "id") return read_text(option);
    if (name == "readonly" || name == "readwrite" || name == "required") return read_switch(option);
    if (name == "size") return read_size(option);
    if (name == "sharing") return read_sharing(option);
    if (name == "env") return read_env(option);
    only_for(option, {MountType::Secret, MountType::Ssh, MountType::Cache});
    const std::optional<std::string> value = settled(option);
    if (!value) return;
    if (name == "mode") {
      out_.mode = number(option, *value, 8, 07777);
    } else {
      (name == "uid" ? out_.uid : out_.gid) = number(option, *value, 10, 0xFFFFFFFE);
    }
  }

  void read_text(const Option& option) {
    if (!option.value) refuse(concat("\"", option.written, "\" needs a value: ", option.written, "=…"));
    // An empty text is none.
    const std::optional<std::string> value = option.value->empty() ? std::nullopt : option.value;
    if (option.name == "target") out_.target = value;
    if (option.name == "source") out_.source = value;
    if (option.name == "id") out_.id = value;
    if (option.name != "from") return;
    if (const std::size_t at = option.value->find('$');
        at + 1 < option.value->size() && at != std::string::npos) {
      InvalidInput error("--mount: \"from\" takes no variables", file_.at(flag_));
      error.set_hint("give the image a name with FROM … AS name, where variables work, and mount from that");
      throw error;
    }
    out_.from = value;
  }

  void read_switch(const Option& option) {
    if (option.name == "required") only_for(option, {MountType::Secret, MountType::Ssh});
    bool on = true;
    if (option.value) {
      const std::optional<std::string> value = settled(option);
      if (!value) return;
      const std::string lower = to_lower(*value);
      on = lower == "true" || lower == "t" || lower == "1";
      if (!on && lower != "false" && lower != "f" && lower != "0")
        refuse(concat("\"", option.written, "\" is true or false, not \"", *value, "\""));
    }
    if (option.name == "required") {
      out_.required = on;
    } else {
      out_.readonly = on == (option.name == "readonly");
    }
  }

  void read_size(const Option& option) {
    only_for(option, {MountType::Tmpfs});
    const std::optional<std::string> value = settled(option);
    if (!value) return;
    const std::optional<std::int64_t> size = parse_memory_size(*value);
    if (!size) refuse(concat("\"", option.written, "\" is a size like 64m or 1g, not \"", *value, "\""));
    out_.size = *size;
  }

  void read_sharing(const Option& option) {
    only_for(option, {MountType::Cache});
    const std::optional<std::string> value = settled(option);
    if (!value) return;
    static const std::vector<std::string> kModes = {"shared", "private", "locked"};
    const auto mode = std::find(kModes.begin(), kModes.end(), to_lower(*value));
    if (mode == kModes.end()) {
      InvalidInput error(
          concat("--mount: \"sharing\" is shared, private or locked, not \"", value->substr(0, 80), "\""),
          file_.at(flag_));
      if (const auto near = closest_match(*value, kModes))
        error.set_hint(concat("did you mean ", *near, "?"));
      throw error;
    }
    out_.sharing = *mode == "shared"    ? CacheSharing::Shared
                   : *mode == "private" ? CacheSharing::Private
                                        : CacheSharing::Locked;
  }

  void read_env(const Option& option) {
    const std::optional<std::string> value = settled(option);
    if (!value) return;
    if (value->empty() || value->find('=') != std::string::npos)
      refuse(concat("\"", value->substr(0, 80), "\" is no name of an environment variable"));
    out_.env = *value;
  }

  unsigned number(const Option& option, const std::string& text, unsigned base, std::uint64_t max) const {
    const auto wrong = [&] {
      refuse(concat("\"", option.written, "=", text.substr(0, 80), "\" is not ",
                    base == 8 ? "an octal mode of at most 07777" : "a number of at most 4294967294"));
    };
    std::uint64_t value = 0;
    if (text.empty()) wrong();
    for (char c : text) {
      if (c < '0' || c >= static_cast<char>('0' + base)) wrong();
      value = value * base + static_cast<unsigned>(c - '0');
      if (value > max) wrong();
    }
    return static_cast<unsigned>(value);
  }

  void check_whole() {
    if (out_.type == MountType::Ssh && out_.source)
      refuse("type ssh takes no \"source\"; it is named by \"id\"");
    if (out_.type != MountType::Secret) return;
    if (out_.from) refuse("type secret takes no \"from\": secrets come from the command line");
    if (out_.source && out_.id)
      refuse("type secret takes \"id\" or \"source\", which mean the same, not both");
    if (out_.source) out_.id = std::exchange(out_.source, std::nullopt);
    if (!out_.id && !out_.target) refuse("type secret needs an id or a target");
  }

  const Dockerfile& file_;
  const Flag& flag_;
  const MountValue& value_of_;
  std::vector<Option> options_;
  bool type_known_ = true;
  MountSpec out_;
};

}  // namespace

MountSpec read_mount(const Dockerfile& file, const Flag& flag, const MountValue& value_of) {
  return MountReader(file, flag, value_of).read();
}

}  // namespace slipway::dockerfile
