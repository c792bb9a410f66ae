#pragma once
// An ImageResolver that knows the images a test told it of.
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/strings.h"
#include "dockerfile/lower.h"

namespace slipway::testing {

class FakeImageResolver final : public dockerfile::ImageResolver {
 public:
  /// Makes `name` known for these platforms, with one layer and a history of one entry. What `edit` does to
  /// the config holds for all of them.
  void add(std::string_view name, const std::vector<std::string>& platforms, RuntimeConfig config = {}) {
    const ImageRef ref = ImageRef::parse(name);
    for (const std::string& text : platforms) {
      const Platform platform = Platform::parse(text);
      const std::string identity = concat(ref.str(), " ", platform.str());
      ImageConfig image{.platform = platform,
                        .created = "2024-05-01T12:00:00Z",
                        .author = {},
                        .config = config,
                        .diff_ids = {Digest::of(identity + " layer")},
                        .history = {History{.created = "2024-05-01T12:00:00Z",
                                            .created_by = "ADD rootfs.tar",
                                            .comment = {},
                                            .author = {},
                                            .empty_layer = false}}};
      images_[ref.str()].emplace(
          platform, dockerfile::BaseImage{ref.with_digest(Digest::of(identity)), std::move(image)});
    }
  }
  /// A reference with the digest of that platform's own manifest is what it says.
  void add_pinned(const ImageRef& pinned, const Platform& platform) {
    images_[pinned.str()].emplace(
        platform,
        dockerfile::BaseImage{pinned, ImageConfig{.platform = platform, .created = {}, .author = {}}});
  }
  /// Whatever platform of this image is asked for, its config says `platform`.
  void answer_with(std::string_view name, const Platform& platform) {
    for (auto& [asked_for, image] : images_[ImageRef::parse(name).str()]) image.config.platform = platform;
  }
  /// Asking for this image throws Denied.
  void deny(std::string_view name) { denied_ = ImageRef::parse(name).str(); }

  dockerfile::BaseImage resolve(const ImageRef& ref, const Platform& platform, std::stop_token) override {
    asked.push_back(concat(ref.familiar(), " ", platform.str()));
    if (ref.str() == denied_) throw Denied(concat("access to ", ref.str(), " denied"));
    const auto known = images_.find(ref.str());
    if (known == images_.end()) throw NotFound(concat(ref.str(), ": not found"));
    const auto image = known->second.find(platform);
    if (image != known->second.end()) return image->second;
    std::string has;
    for (const auto& [offered, unused] : known->second) has += concat(has.empty() ? "" : ", ", offered.str());
    throw InvalidInput(concat(ref.str(), " has no ", platform.str(), "; it has ", has));
  }

  void expect(const std::vector<dockerfile::WantedImage>& wanted, std::stop_token) override {
    for (const auto& [ref, platform] : wanted) expected.push_back(concat(ref.familiar(), " ", platform.str()));
  }

  std::vector<std::string> asked;     ///< "alpine:latest linux/arm64", in order
  std::vector<std::string> expected;  ///< likewise, with repetitions

 private:
  std::map<std::string, std::map<Platform, dockerfile::BaseImage>> images_;
  std::string denied_;
};

}  // namespace slipway::testing
