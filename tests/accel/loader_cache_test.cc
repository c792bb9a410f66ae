#include "accel/exec/loader_cache.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <random>

#include "loader_cache_file.h"

namespace slipway {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

std::vector<std::string> places_of(const std::string& bytes, const char* library) {
  std::vector<std::string> places;
  const LoaderCache cache(bytes.data(), bytes.size());
  if (!cache.is_valid()) return {"damaged"};
  const auto add = [&](const char* place) {
    places.emplace_back(place);
    return true;
  };
  if (!cache.each_place_of(library, add)) places.emplace_back("damaged");
  return places;
}

TEST(TwinLoaderCache, TellsEveryPlaceOfALibrary) {
  const std::string bytes = loader_cache({{"libb.so.1", "/lib/libb.so.1"},
                                          {"liba.so.1", "/opt/liba.so.1"},
                                          {"libb.so.1", "/usr/local/lib/libb.so.1"}});
  EXPECT_THAT(places_of(bytes, "libb.so.1"), ElementsAre("/lib/libb.so.1", "/usr/local/lib/libb.so.1"));
  EXPECT_THAT(places_of(bytes, "liba.so"), IsEmpty());
  const LoaderCache cache(bytes.data(), bytes.size());
  EXPECT_FALSE(cache.each_place_of("liba.so.1", [](const char*) { return false; }));
}

TEST(TwinLoaderCache, IsDamagedIfCutOffOrOfAnotherFormat) {
  const std::string bytes = loader_cache({{"liba.so.1", "/lib/liba.so.1"}});
  for (std::size_t size = 0; size < bytes.size() - 10; ++size)
    EXPECT_THAT(places_of(bytes.substr(0, size), "liba.so.1"), ElementsAre("damaged")) << size;
  EXPECT_THAT(places_of("ld.so-1.7.0" + bytes, "liba.so.1"), ElementsAre("damaged"));
}

// Under a sanitizer this shows what is read outside.
TEST(TwinLoaderCache, IsReadWithinItsBoundsWhateverItHas) {
  std::mt19937 random(7);
  const std::string good = loader_cache({{"liba.so.1", "/lib/liba.so.1"}, {"libb.so.1", "/lib/libb.so.1"}});
  for (int i = 0; i < 5000; ++i) {
    std::string bytes = good;
    for (int change = 0; change < 3; ++change)
      bytes[random() % bytes.size()] = static_cast<char>(random() % 3 == 0 ? 0xff : random());
    places_of(bytes, "liba.so.1");
  }
}

}  // namespace
}  // namespace slipway
