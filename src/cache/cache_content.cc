#include "cache/cache_content.h"

#include <algorithm>
#include <chrono>
#include <iterator>
#include <set>
#include <utility>

#include "base/strings.h"

namespace slipway {

namespace {

/// "0123" within `text`; nothing if it is not all digits.
std::optional<int> digits(std::string_view text, std::size_t at, std::size_t count) {
  if (text.size() < at + count) return std::nullopt;
  const auto number = parse_unsigned(text.substr(at, count));
  if (!number) return std::nullopt;
  return static_cast<int>(*number);
}

/// The offset from UTC in seconds: "Z", "+01:00".
std::optional<std::int64_t> offset_of(std::string_view zone) {
  if (zone == "Z" || zone == "z") return 0;
  if (zone.size() != 6 || (zone[0] != '+' && zone[0] != '-') || zone[3] != ':') return std::nullopt;
  const auto hours = digits(zone, 1, 2), minutes = digits(zone, 4, 2);
  if (!hours || !minutes) return std::nullopt;
  const std::int64_t seconds = (std::int64_t{*hours} * 60 + *minutes) * 60;
  return zone[0] == '-' ? -seconds : seconds;
}

std::int64_t time_of(const std::string& text) { return parse_rfc3339(text).value_or(0); }

bool is_usable(const CacheConfigLayer& layer) {
  return layer.diff_id && !layer.media_type.empty() && layer.size > 0;
}

/// Whether a snapshot can be made of the layers from the lowest up to `top`.
bool is_usable_chain(const CacheConfig& config, int top) {
  constexpr std::size_t kMost = 500;  // more cannot be mounted
  std::size_t count = 0;
  for (int at = top; at >= 0; at = config.layers[static_cast<std::size_t>(at)].parent)
    if (++count > kMost || !is_usable(config.layers[static_cast<std::size_t>(at)])) return false;
  return count > 0;
}

/// Of a chain that is usable: from the lowest up to `top`.
std::vector<CachedLayer> chain_up_to(const CacheConfig& config, int top) {
  std::vector<CachedLayer> chain;
  for (int at = top; at >= 0; at = config.layers[static_cast<std::size_t>(at)].parent) {
    const CacheConfigLayer& layer = config.layers[static_cast<std::size_t>(at)];
    chain.push_back({.descriptor = {.media_type = layer.media_type, .digest = layer.blob, .size = layer.size},
                     .diff_id = *layer.diff_id,
                     .created = time_of(layer.created)});
  }
  std::ranges::reverse(chain);
  return chain;
}

std::int64_t last_use(const CacheConfigRecord& record) {
  std::int64_t last = record.notes ? record.notes->used : 0;
  for (const CacheConfigResult& result : record.results) last = std::max(last, time_of(result.created));
  for (const CacheConfigChain& chain : record.chains) last = std::max(last, time_of(chain.created));
  return last;
}

/// Adds results to a config, layer by layer: one that is there already on the same ground is not added again.
class Merger {
 public:
  Merger(CacheConfig config, std::int64_t now) : config_(std::move(config)), now_(now) {
    for (std::size_t i = 0; i < config_.layers.size(); ++i)
      layers_.emplace(std::pair(config_.layers[i].blob, config_.layers[i].parent), static_cast<int>(i));
    for (std::size_t i = 0; i < config_.records.size(); ++i) {
      CacheConfigRecord& record = config_.records[i];
      if (record.inputs.empty()) records_.emplace(record.digest, i);
      // What nothing is known of starts to age now.
      if (last_use(record) != 0) continue;
      if (!record.notes) record.notes.emplace();
      record.notes->used = now;
    }
  }

  void add(const CachedResult& result) {
    const auto [found, is_new] = records_.try_emplace(result.key, config_.records.size());
    if (is_new) config_.records.push_back({.digest = result.key});
    CacheConfigRecord& record = config_.records[found->second];
    const std::int64_t used = std::max(now_, record.notes ? record.notes->used : 0);
    const bool newer_there = std::ranges::any_of(record.results, [&](const CacheConfigResult& there) {
      return time_of(there.created) >= result.created && is_usable_chain(config_, there.layer);
    });
    if (!newer_there) {
      record.results = {{.layer = add_layers(result.layers), .created = rfc3339(result.created)}};
      record.chains.clear();
    }
    if (!newer_there || !record.notes) {
      record.notes = result.notes;
      if (newer_there) record.notes->emulation.clear();  // who made the one that stays did not say
    }
    // Who does not know of names leaves them out; of a result that is not ours the name is not known.
    if (!record.notes->tree && time_of(record.results.front().created) == result.created)
      record.notes->tree = result.notes.tree;
    record.notes->used = used;
  }

  CacheConfig take() { return std::move(config_); }

 private:
  int add_layers(const std::vector<CachedLayer>& layers) {
    int parent = -1;
    for (const CachedLayer& layer : layers) {
      const auto [found, is_new] = layers_.try_emplace(std::pair(layer.descriptor.digest, parent),
                                                       static_cast<int>(config_.layers.size()));
      if (is_new) config_.layers.push_back({.blob = layer.descriptor.digest, .parent = parent});
      parent = found->second;
      CacheConfigLayer& entry = config_.layers[static_cast<std::size_t>(parent)];
      if (is_usable(entry)) continue;
      entry.media_type = layer.descriptor.media_type;
      entry.size = layer.descriptor.size;
      entry.diff_id = layer.diff_id;
      entry.created = rfc3339(layer.created);
    }
    return parent;
  }

  CacheConfig config_;
  const std::int64_t now_;
  std::map<std::pair<Digest, int>, int> layers_;
  std::map<Digest, std::size_t> records_;
};

/// Which of a config's records and layers stay, and the config of those alone.
class Sieve {
 public:
  explicit Sieve(const CacheConfig& config)
      : config_(config), records_(config.records.size(), false), layers_(config.layers.size(), false) {}

  /// With the records that it links to and all their layers.
  void keep(std::size_t record) {
    std::vector<std::size_t> open{record};
    while (!open.empty()) {
      const std::size_t at = open.back();
      open.pop_back();
      if (records_[at]) continue;
      records_[at] = true;
      for (const CacheConfigResult& result : config_.records[at].results) keep_layer(result.layer);
      for (const CacheConfigChain& chain : config_.records[at].chains)
        for (const int layer : chain.layers) keep_layer(layer);
      for (const auto& alternatives : config_.records[at].inputs)
        for (const CacheConfigInput& input : alternatives)
          open.push_back(static_cast<std::size_t>(input.link));
    }
  }
  std::size_t kept_layers() const { return kept_layers_; }

  CacheConfig result() const {
    const std::vector<int> layer_at = positions(layers_), record_at = positions(records_);
    const auto moved = [&](int layer) { return layer < 0 ? -1 : layer_at[static_cast<std::size_t>(layer)]; };
    CacheConfig out{.layers = {}, .records = {}, .mounts = config_.mounts};
    for (std::size_t i = 0; i < layers_.size(); ++i) {
      if (!layers_[i]) continue;
      out.layers.push_back(config_.layers[i]);
      out.layers.back().parent = moved(out.layers.back().parent);
    }
    for (std::size_t i = 0; i < records_.size(); ++i) {
      if (!records_[i]) continue;
      CacheConfigRecord& record = out.records.emplace_back(config_.records[i]);
      for (CacheConfigResult& result : record.results) result.layer = moved(result.layer);
      for (CacheConfigChain& chain : record.chains)
        for (int& layer : chain.layers) layer = moved(layer);
      for (auto& alternatives : record.inputs)
        for (CacheConfigInput& input : alternatives)
          input.link = record_at[static_cast<std::size_t>(input.link)];
    }
    return out;
  }

 private:
  static std::vector<int> positions(const std::vector<bool>& kept) {
    std::vector<int> at(kept.size(), -1);
    int next = 0;
    for (std::size_t i = 0; i < kept.size(); ++i)
      if (kept[i]) at[i] = next++;
    return at;
  }
  void keep_layer(int layer) {
    while (layer >= 0 && !layers_[static_cast<std::size_t>(layer)]) {
      layers_[static_cast<std::size_t>(layer)] = true;
      ++kept_layers_;
      layer = config_.layers[static_cast<std::size_t>(layer)].parent;
    }
  }

  const CacheConfig& config_;
  std::vector<bool> records_, layers_;
  std::size_t kept_layers_ = 0;
};

}  // namespace

std::optional<std::int64_t> parse_rfc3339(std::string_view text) {
  using namespace std::chrono;
  if (text.size() < 20 || text[4] != '-' || text[7] != '-' || (text[10] != 'T' && text[10] != 't') ||
      text[13] != ':' || text[16] != ':')
    return std::nullopt;
  const auto y = digits(text, 0, 4), mo = digits(text, 5, 2), d = digits(text, 8, 2), h = digits(text, 11, 2),
             mi = digits(text, 14, 2), s = digits(text, 17, 2);
  if (!y || !mo || !d || !h || !mi || !s || *h > 23 || *mi > 59 || *s > 60) return std::nullopt;
  const year_month_day date{year{*y}, month{static_cast<unsigned>(*mo)}, day{static_cast<unsigned>(*d)}};
  if (!date.ok()) return std::nullopt;
  std::string_view rest = text.substr(19);
  if (rest.starts_with('.'))
    rest.remove_prefix(std::min(rest.find_first_not_of("0123456789", 1), rest.size()));
  const auto offset = offset_of(rest);
  if (!offset) return std::nullopt;
  const sys_seconds when = sys_days{date} + hours{*h} + minutes{*mi} + seconds{*s};
  return when.time_since_epoch().count() - *offset;
}

CacheContent::CacheContent(CacheConfig config) : config_(std::move(config)) {
  for (std::size_t i = 0; i < config_.records.size(); ++i) {
    const CacheConfigRecord& record = config_.records[i];
    if (!record.inputs.empty()) continue;
    for (const CacheConfigResult& result : record.results) {
      if (!is_usable_chain(config_, result.layer)) continue;
      const Place place{.record = i, .layer = result.layer, .created = time_of(result.created)};
      const auto [found, is_new] = newest_.try_emplace(record.digest, place);
      if (!is_new && found->second.created < place.created) found->second = place;
    }
  }
  for (std::size_t i = 0; i < config_.layers.size(); ++i) blobs_.emplace(config_.layers[i].blob, i);
}

std::optional<CachedResult> CacheContent::find(const Digest& key) const {
  const auto found = newest_.find(key);
  if (found == newest_.end()) return std::nullopt;
  const CacheConfigRecord& record = config_.records[found->second.record];
  return CachedResult{.key = key,
                      .layers = chain_up_to(config_, found->second.layer),
                      .created = found->second.created,
                      .notes = record.notes.value_or(CacheNotes{})};
}

void append_cache(CacheConfig& config, CacheConfig other) {
  std::ranges::move(other.mounts, std::back_inserter(config.mounts));
  const int layers = static_cast<int>(config.layers.size()),
            records = static_cast<int>(config.records.size());
  const auto move = [](int& index, int by) {
    if (index >= 0) index += by;
  };
  for (CacheConfigLayer& layer : other.layers) {
    move(layer.parent, layers);
    config.layers.push_back(std::move(layer));
  }
  for (CacheConfigRecord& record : other.records) {
    for (CacheConfigResult& result : record.results) move(result.layer, layers);
    for (CacheConfigChain& chain : record.chains)
      for (int& layer : chain.layers) move(layer, layers);
    for (auto& alternatives : record.inputs)
      for (CacheConfigInput& input : alternatives) move(input.link, records);
    config.records.push_back(std::move(record));
  }
}

CacheConfig without_lost_blobs(CacheConfig config, const HoldsBlob& holds) {
  std::vector<bool> lost;
  for (const CacheConfigLayer& layer : config.layers) lost.push_back(!holds(layer.blob, layer.size));
  std::erase_if(config.mounts, [&](const CacheConfigMount& mount) { return !holds(mount.blob, mount.size); });
  if (std::ranges::find(lost, true) == lost.end()) return config;
  const auto needs_lost = [&](int top) {
    for (int at = top; at >= 0; at = config.layers[static_cast<std::size_t>(at)].parent)
      if (lost[static_cast<std::size_t>(at)]) return true;
    return false;
  };
  for (CacheConfigRecord& record : config.records) {
    std::erase_if(record.results, [&](const CacheConfigResult& result) { return needs_lost(result.layer); });
    std::erase_if(record.chains, [&](const CacheConfigChain& chain) {
      return std::ranges::any_of(chain.layers, needs_lost);
    });
  }
  Sieve sieve(config);
  for (std::size_t i = 0; i < config.records.size(); ++i)
    if (!config.records[i].results.empty() || !config.records[i].chains.empty()) sieve.keep(i);
  return sieve.result();
}

CacheConfig merge_cache(CacheConfig present, const std::vector<CachedResult>& results, std::int64_t now,
                        const CacheKeeping& keeping) {
  Merger merger(std::move(present), now);
  for (const CachedResult& result : results) merger.add(result);
  const CacheConfig merged = merger.take();
  // The last used come first, so the limit meets the others.
  std::vector<std::pair<std::int64_t, std::size_t>> order;
  for (std::size_t i = 0; i < merged.records.size(); ++i) order.emplace_back(-last_use(merged.records[i]), i);
  std::ranges::sort(order);
  std::set<Digest> ours;
  for (const CachedResult& result : results) ours.insert(result.key);
  Sieve sieve(merged);
  for (const auto& [minus_used, record] : order) {
    const bool is_ours = ours.contains(merged.records[record].digest);
    const bool stale = -minus_used < now - keeping.seconds || sieve.kept_layers() >= keeping.most_layers;
    if (is_ours || !stale) sieve.keep(record);
  }
  return sieve.result();
}

bool contains_results(const CacheConfig& config, const std::vector<CachedResult>& results, std::int64_t now,
                      std::int64_t stale_seconds) {
  const CacheContent content(config);
  return std::ranges::all_of(results, [&](const CachedResult& result) {
    const auto found = content.find(result.key);
    return found && found->created >= result.created && found->notes.used >= now - stale_seconds;
  });
}

}  // namespace slipway
