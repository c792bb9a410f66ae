#include "slipway/prune_flags.h"

#include <charconv>
#include <chrono>
#include <memory>
#include <regex>

#include "base/error.h"
#include "base/strings.h"
#include "dockerfile/size_text.h"
#include "slipway/limit_flags.h"

namespace slipway {

namespace {

using Match = std::function<bool(const StoreUsage&, const StoreRecord&)>;

/// NAME OPERATOR VALUE; without an operator, `op` is empty.
struct Term {
  std::string name, op, value;
};

Term parse_term(const std::string& text) {
  const std::size_t at = text.find_first_of("=!~");
  if (at == std::string::npos) return {.name = text, .op = "", .value = ""};
  std::size_t end = text.find_first_not_of("=!~", at);
  if (end == std::string::npos) end = text.size();
  Term term{.name = text.substr(0, at), .op = text.substr(at, end - at), .value = text.substr(end)};
  if (term.op == "==") term.op = "=";
  if (term.op == "=" || term.op == "!=" || term.op == "~=") return term;
  throw UsageError(concat("--filter ", text, ": \"", term.op, "\" is none of =, != and ~="));
}

std::vector<std::string> texts_of(const StoreUsage& usage, const StoreRecord& record,
                                  const std::string& name) {
  if (name == "id") return {record.id};
  if (name == "type") return {std::string(name_of(record.type))};
  if (name == "description") return {record.description};
  std::vector<std::string> parents;
  for (const std::size_t needed : record.needs) parents.push_back(usage.records.at(needed).id);
  return parents;
}

bool has_property(const StoreRecord& record, const std::string& name) {
  const bool changes = record.type == RecordType::CacheMount || record.type == RecordType::GitRepository;
  if (name == "inuse") return record.in_use;
  if (name == "mutable") return changes;
  if (name == "immutable") return !changes;
  return record.image.empty() == (name == "private");
}

Match text_match(const Term& term) {
  if (term.op == "~=") {
    try {
      auto pattern = std::make_shared<const std::regex>(term.value, std::regex::ECMAScript);
      return [pattern, name = term.name](const StoreUsage& usage, const StoreRecord& record) {
        constexpr std::size_t kLongest = 4096;  // std::regex recurses over what it reads
        for (const std::string& text : texts_of(usage, record, name))
          if (std::regex_search(text.substr(0, kLongest), *pattern)) return true;
        return false;
      };
    } catch (const std::regex_error&) {
      throw UsageError(concat("--filter ", term.name, "~=", term.value, ": this is no regular expression"));
    }
  }
  return [term](const StoreUsage& usage, const StoreRecord& record) {
    bool equal = false;
    for (const std::string& text : texts_of(usage, record, term.name)) equal = equal || text == term.value;
    return equal == (term.op == "=");
  };
}

Match property_match(const Term& term, const std::string& whole) {
  const bool named = term.op.empty() || term.value == "true" || term.value == "1";
  if (term.op == "~=" || (!named && term.value != "false" && term.value != "0"))
    throw UsageError(concat("--filter ", whole, ": expected ", term.name, "=true or =false"));
  const bool wanted = named == (term.op != "!=");
  return [name = term.name, wanted](const StoreUsage&, const StoreRecord& record) {
    return has_property(record, name) == wanted;
  };
}

[[noreturn]] void refuse(const std::string& whole, const std::string& name) {
  const std::vector<std::string> known{"id",      "type",      "description", "parents", "inuse", "mutable",
                                       "private", "immutable", "shared",      "until",   "parent"};
  UsageError error(concat("--filter ", whole, ": there is no filter \"", name, "\""));
  const auto near = closest_match(name, known);
  error.set_hint(near ? concat("did you mean ", *near, "?")
                      : "the filters are id, parents, description, type, inuse, mutable, immutable, shared, "
                        "private and until");
  throw error;
}

}  // namespace

std::optional<std::uint64_t> parse_space(const std::string& text, std::uint64_t file_system,
                                         const char* flag) {
  if (text.ends_with('%')) {
    double percent = 0;
    const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size() - 1, percent);
    if (problem == std::errc() && end == text.data() + text.size() - 1 && percent > 0 && percent <= 100)
      return static_cast<std::uint64_t>(static_cast<double>(file_system) * percent / 100);
  } else if (const auto bytes = dockerfile::parse_memory_size(text); bytes && *bytes >= 0) {
    if (*bytes == 0) return std::nullopt;
    return static_cast<std::uint64_t>(*bytes);
  }
  throw UsageError(concat(flag, " ", text, ": expected a size, such as 512MB, 20GB or 10%"));
}

std::optional<std::int64_t> parse_keep_duration(const std::string& text, const char* flag) {
  if (const auto seconds = parse_unsigned(text); seconds && *seconds < (std::uint64_t{1} << 40))
    return *seconds == 0 ? std::nullopt : std::optional(static_cast<std::int64_t>(*seconds));
  // As in BuildKit, none is no duration: nothing is kept for its age.
  const std::size_t unit = text.find_first_not_of('0');
  if (unit != 0 && unit != std::string::npos)
    for (const char* known : {"ms", "s", "m", "h", "d"})
      if (text.compare(unit, std::string::npos, known) == 0) return std::nullopt;
  if (text.ends_with('d'))
    if (const auto days = parse_unsigned(text.substr(0, text.size() - 1)); days && *days <= 100'000)
      return static_cast<std::int64_t>(*days) * 24 * 3600;
  return std::chrono::ceil<std::chrono::seconds>(parse_timeout(text, flag)).count();
}

RecordFilter parse_record_filters(const std::vector<std::string>& filters) {
  RecordFilter result;
  std::vector<Match> all;
  for (const std::string& filter : filters) {
    for (const std::string& whole : split(filter, ',')) {
      Term term = parse_term(whole);
      if (term.name == "parent") term.name = "parents";
      const bool text =
          term.name == "id" || term.name == "type" || term.name == "description" || term.name == "parents";
      const bool property = term.name == "inuse" || term.name == "mutable" || term.name == "immutable" ||
                            term.name == "shared" || term.name == "private";
      if (term.name == "until" && term.op == "=") {
        result.keep_seconds = parse_keep_duration(term.value, "--filter until");
      } else if (text && !term.op.empty()) {
        all.push_back(text_match(term));
      } else if (property) {
        all.push_back(property_match(term, whole));
      } else {
        refuse(whole, term.name);
      }
    }
  }
  if (!all.empty())
    result.matches = [all](const StoreUsage& usage, const StoreRecord& record) {
      for (const Match& match : all)
        if (!match(usage, record)) return false;
      return true;
    };
  return result;
}

Match parse_any_filter(const std::vector<std::string>& filters) {
  std::vector<Match> any;
  for (const std::string& filter : filters)
    if (Match match = parse_record_filters({filter}).matches) any.push_back(std::move(match));
  return [any](const StoreUsage& usage, const StoreRecord& record) {
    for (const Match& match : any)
      if (match(usage, record)) return true;
    return false;
  };
}

}  // namespace slipway
