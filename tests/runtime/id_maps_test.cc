#include "runtime/id_maps.h"

namespace slipway {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST(IdMaps, KernelsTextIsRead) {
  const IdMap map = parse_id_map("         0       1000          1\n         1     100000      65536\n");
  EXPECT_THAT(map, ElementsAre(IdRange{0, 1000, 1}, IdRange{1, 100000, 65536}));
  EXPECT_EQ(id_count(map), 65537u);
  EXPECT_TRUE(is_user_namespace(map));
}
TEST(IdMaps, FirstNamespaceIsNone) { EXPECT_FALSE(is_user_namespace(parse_id_map("0 0 4294967295\n"))); }
TEST(IdMaps, MappedIdsAreThoseInARange) {
  const IdMap map = parse_id_map("0 1000 1\n10 5000 5\n");
  EXPECT_TRUE(is_mapped(map, 0));
  EXPECT_FALSE(is_mapped(map, 1));
  EXPECT_TRUE(is_mapped(map, 14));
  EXPECT_FALSE(is_mapped(map, 15));
}
TEST(IdMaps, IdentityKeepsTheInsideNumbers) {
  EXPECT_EQ(identity_lines(parse_id_map("0 1000 1\n1 100000 65536\n")), "0 0 1\n1 1 65536\n");
}
TEST(IdMaps, IdentityOfAllIdsIsStillAUserNamespace) {
  const IdMap copy = parse_id_map(identity_lines(parse_id_map("0 0 4294967295\n")));
  EXPECT_TRUE(is_user_namespace(copy));
  EXPECT_EQ(id_count(copy), 4294967295u);
}
TEST(SubordinateIds, OwnLinesAreFoundByNameAndNumber) {
  const char* text =
      "alice:100000:65536\n# "
      "comment\n1000:300000:10\nbob:200000:5\nalice:x:1\nalice:1:0\nalice:4294967295:2\n";
  EXPECT_THAT(parse_sub_ids(text, "alice", 1000),
              ElementsAre(IdRange{0, 100000, 65536}, IdRange{0, 300000, 10}));
  EXPECT_THAT(parse_sub_ids(text, "", 7), IsEmpty());
}
TEST(SubordinateIds, FollowTheUserInTheMap) {
  EXPECT_THAT(map_with_sub_ids(1000, {{0, 100000, 10}, {0, 500000, 20}}),
              ElementsAre(IdRange{0, 1000, 1}, IdRange{1, 100000, 10}, IdRange{11, 500000, 20}));
}

}  // namespace
}  // namespace slipway
