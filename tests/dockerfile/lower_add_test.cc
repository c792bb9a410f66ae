// ADD, and the ways to copy that change what is copied: links, parents, modes.
#include <gmock/gmock.h>

#include "dockerfile/lowering.h"

namespace slipway::testing {
namespace {

using dockerfile::Lowered;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

CopyAction copy_of(const Lowered& lowered, std::size_t index = 0) {
  return std::get<CopyAction>(ops_of<FileOp>(lowered).back().actions.at(index));
}
CopyAction copy_of(std::string_view text) { return copy_of(lower_text(text)); }

/// The only source that is fetched.
const Vertex& source_of(const Lowered& lowered) {
  for (const Vertex& vertex : lowered.graph.vertices())
    if (vertex.info.name.starts_with("ADD ")) return vertex;
  throw NotFound("nothing is fetched");
}

TEST(LowerAdd, UnpacksLocalArchives) {
  EXPECT_TRUE(copy_of("FROM alpine\nADD a.tar /d/\n").attempt_unpack);
  EXPECT_TRUE(copy_of("FROM alpine\nADD --unpack a.tar /d/\n").attempt_unpack);
  EXPECT_FALSE(copy_of("FROM alpine\nADD --unpack=false a.tar /d/\n").attempt_unpack);
  EXPECT_FALSE(copy_of("FROM alpine\nCOPY a.tar /d/\n").attempt_unpack);
}

TEST(LowerAdd, FetchesAUrl) {
  const Lowered lowered =
      lower_text("FROM alpine\nARG V=1.2\nADD https://x.org/p/tool-$V%20a.tgz?q=/n#f /bin/\n",
                 options_for({"linux/amd64", "linux/arm64"}));
  const Vertex& source = source_of(lowered);
  EXPECT_EQ(source.info.name, "ADD https://x.org/p/tool-1.2%20a.tgz?q=/n#f");
  EXPECT_EQ(source.lanes.size(), 2U);
  const auto& op = std::get<SourceOp>(source.op.what);
  EXPECT_EQ(op.identifier, "https://x.org/p/tool-1.2%20a.tgz?q=/n#f");
  EXPECT_EQ(op.attrs.at(kAttrHttpFilename), "tool-1.2 a.tgz");
  const CopyAction copy = copy_of(lowered);
  EXPECT_EQ(copy.src, "/tool-1.2 a.tgz");
  EXPECT_EQ(copy.dest, "/bin/");
  EXPECT_FALSE(copy.attempt_unpack);
  EXPECT_FALSE(copy.owner);
  EXPECT_FALSE(copy.allow_wildcard);
  EXPECT_TRUE(copy_of("FROM alpine\nADD --unpack https://x.org/a.tgz /d/\n").attempt_unpack);
}

TEST(LowerAdd, NeedsNoContextForUrls) {
  for (const std::string& name : names_of(lower_text("FROM alpine\nADD http://x.org/a /b\n")))
    EXPECT_THAT(name, ::testing::Not(HasSubstr("build context")));
}

struct UrlName {
  const char* name;
  const char* url;
  const char* file;
};
void PrintTo(const UrlName& row, std::ostream* out) { *out << row.url; }
class UrlNames : public ::testing::TestWithParam<UrlName> {};
TEST_P(UrlNames, AreTheLastPartOfThePath) {
  const Lowered lowered = lower_text(concat("FROM scratch\nADD ", GetParam().url, " /d/\n"));
  EXPECT_EQ(std::get<SourceOp>(source_of(lowered).op.what).attrs.at(kAttrHttpFilename), GetParam().file);
}
INSTANTIATE_TEST_SUITE_P(Rows, UrlNames,
                         ::testing::Values(UrlName{"File", "http://h/a/b.txt", "b.txt"},
                                           UrlName{"Directory", "http://h/a/b/", "b"},
                                           UrlName{"Host", "http://h", "__unnamed__"},
                                           UrlName{"Root", "http://h/?x=/y", "__unnamed__"},
                                           UrlName{"Up", "http://h/a/%2e%2E", "__unnamed__"},
                                           UrlName{"Slash", "http://h/a%2Fb", "b"},
                                           UrlName{"Percent", "http://h/a%zz%4", "a%zz%4"},
                                           UrlName{"Nul", "http://h/a%00b", "__unnamed__"}),
                         [](const auto& row) { return row.param.name; });

TEST(LowerAdd, ChecksumsAreOfOneRemoteSource) {
  const std::string digest = concat("sha256:", std::string(64, 'a'));
  const Lowered lowered =
      lower_text(concat("FROM alpine\nARG D=", digest, "\nADD --checksum=$D http://x/a /b\n"));
  EXPECT_EQ(std::get<SourceOp>(source_of(lowered).op.what).attrs.at(kAttrHttpChecksum), digest);
  EXPECT_THAT(refusal_of("FROM alpine\nADD --checksum=sha256:1 http://x/a /b\n").what(),
              HasSubstr("64 hex digits"));
  EXPECT_THAT(refusal_of(concat("FROM alpine\nADD --checksum=", digest, " a /b\n")).what(),
              HasSubstr("is neither"));
  EXPECT_THAT(
      refusal_of(concat("FROM alpine\nADD --checksum=", digest, " http://x/a http://x/b /c/\n")).what(),
      HasSubstr("single source"));
}

TEST(LowerAdd, ClonesARepository) {
  const Lowered lowered =
      lower_text("FROM alpine\nADD --keep-git-dir --checksum=0aB1 https://u:p@x.org/r.git#v1:sub /src\n");
  const Vertex& source = source_of(lowered);
  EXPECT_EQ(source.info.name, "ADD https://x.org/r.git#v1:sub");
  EXPECT_FALSE(source.op.platform);
  const auto& op = std::get<SourceOp>(source.op.what);
  EXPECT_EQ(op.identifier, "git://x.org/r.git#v1:sub");
  EXPECT_EQ(op.attrs.at(kAttrGitFullUrl), "https://u:p@x.org/r.git");
  EXPECT_EQ(op.attrs.at(kAttrGitKeepDir), "true");
  EXPECT_EQ(op.attrs.at(kAttrGitChecksum), "0ab1");
  const CopyAction copy = copy_of(lowered);
  EXPECT_EQ(copy.src, "/");
  EXPECT_EQ(copy.dest, "/src");
  EXPECT_TRUE(copy.copy_dir_contents);
}

TEST(LowerAdd, KnowsRepositoriesByTheirForms) {
  for (const char* url : {"git@x.org:a/b", "ssh://git@x.org/a", "git://x.org/a", "http://x.org/a.git?ref=v1"})
    EXPECT_THAT(std::get<SourceOp>(source_of(lower_text(concat("FROM scratch\nADD ", url, " /d\n"))).op.what)
                    .identifier,
                ::testing::StartsWith("git://x.org/a"))
        << url;
  const InvalidInput error = refusal_of("FROM alpine\nADD a https://x.org/r.git?rev=1 /d/\n");
  EXPECT_EQ(error.location()->line, 2);
  EXPECT_EQ(error.location()->column, 7);
}

TEST(LowerAdd, CopyTakesNoUrls) {
  EXPECT_EQ(refusal_of("FROM alpine\nARG U=https://x.org/a\nCOPY $U /b\n").hint(), "ADD takes URLs");
  EXPECT_EQ(refusal_of("FROM alpine\nCOPY git@x.org:a /b\n").hint(), "ADD takes URLs");
}

TEST(LowerLink, IsALayerOfItsOwn) {
  const Lowered lowered = lower_text("FROM alpine\nWORKDIR /w\nCOPY --link --chown=5:6 a b/\n");
  const auto& vertices = lowered.graph.vertices();
  const Vertex& merge = vertices.back();
  EXPECT_TRUE(std::holds_alternative<MergeOp>(merge.op.what));
  EXPECT_EQ(merge.info.name, "[3/3] LINK COPY --link --chown=5:6 a b/");
  ASSERT_EQ(merge.op.inputs.size(), 2U);
  EXPECT_EQ(lowered.graph.at(merge.op.inputs[0].vertex).info.name, "[2/3] WORKDIR /w");
  const Vertex& copy = lowered.graph.at(merge.op.inputs[1].vertex);
  EXPECT_EQ(copy.info.name, "[3/3] COPY --link --chown=5:6 a b/");
  EXPECT_EQ(copy_of(lowered).base, kNoInput);
  EXPECT_EQ(copy_of(lowered).dest, "/w/b/");
  EXPECT_EQ(lowered.lanes[0].config.history.back().created_by, "COPY --chown=5:6 a b/ # slipway");
}

TEST(LowerLink, IsOneCopyForAllBases) {
  const Lowered lowered =
      lower_text("FROM alpine\nCOPY --link a /b\n", options_for({"linux/amd64", "linux/arm64"}));
  EXPECT_EQ(ops_of<FileOp>(lowered).size(), 1U);
  EXPECT_EQ(ops_of<MergeOp>(lowered).size(), 2U);
}

TEST(LowerLink, OntoNothingNeedsNoMerge) {
  EXPECT_THAT(ops_of<MergeOp>(lower_text("FROM scratch\nCOPY --link a /b\n")), IsEmpty());
}

TEST(LowerLink, CountsForNothingBesideChmod) {
  EXPECT_THAT(ops_of<MergeOp>(lower_text("FROM alpine\nCOPY --link --chmod=644 --chown=app a /b\n")),
              IsEmpty());
}

TEST(LowerLink, KnowsNoNamesOfOwners) {
  const InvalidInput error = refusal_of("FROM alpine\nCOPY --link --chown=app a /b\n");
  EXPECT_THAT(error.what(), HasSubstr("names cannot be looked up"));
  EXPECT_EQ(error.location()->column, 13);
}

struct Parents {
  const char* name;
  const char* source;
  const char* src;
  std::vector<std::string> include, required;
};
void PrintTo(const Parents& row, std::ostream* out) { *out << row.source; }
class CopyParents : public ::testing::TestWithParam<Parents> {};
TEST_P(CopyParents, KeepWhatFollowsThePivot) {
  const Lowered lowered = lower_text(concat("FROM alpine\nCOPY --parents ", GetParam().source, " /d/\n"));
  const CopyAction copy = copy_of(lowered);
  EXPECT_EQ(copy.src, GetParam().src);
  EXPECT_EQ(copy.include, GetParam().include);
  EXPECT_EQ(copy.required, GetParam().required);
  EXPECT_TRUE(copy.copy_dir_contents);
  EXPECT_EQ(lowered.lanes[0].config.history.back().created_by,
            concat("COPY --parents ", GetParam().source, " /d/ # slipway"));
}
INSTANTIATE_TEST_SUITE_P(Rows, CopyParents,
                         ::testing::Values(Parents{"File", "a/b.txt", "/", {"a/b.txt"}, {"a/b.txt"}},
                                           Parents{"Dotted", "./a/../b/", "/", {"b"}, {"b"}},
                                           Parents{"Wildcard", "a/*.txt", "/", {"a/*.txt"}, {}},
                                           Parents{"Deep", "**/go.mod", "/", {"**/go.mod"}, {}},
                                           Parents{"Pivot", "x/./a/b", "/x", {"a/b"}, {"a/b"}},
                                           Parents{"PivotWildcard", "x/*/./a", "/x/*", {"a"}, {}},
                                           Parents{"PivotAtRoot", "/./a", "/", {"a"}, {"a"}},
                                           Parents{"All", ".", "/", {}, {}},
                                           Parents{"OutOfRoot", "../../a", "/", {"a"}, {"a"}}),
                         [](const auto& row) { return row.param.name; });

TEST(LowerCopyModes, InSymbols) {
  const CopyAction copy = copy_of("FROM alpine\nARG M=go-w\nCOPY --chmod=u=rwX,$M,+t a /b\n");
  EXPECT_FALSE(copy.mode);
  EXPECT_EQ(copy.mode_change, "u=rwX,go-w,+t");
  EXPECT_EQ(copy_of("FROM alpine\nCOPY --chmod==r+ a /b\n").mode_change, "=r+");
  for (const char* bad : {"u", "u+q", "u=r,", ",u=r", "0o7", "8", "17777"})
    EXPECT_THAT(refusal_of(concat("FROM alpine\nCOPY --chmod=", bad, " a /b\n")).what(),
                HasSubstr("--chmod takes"))
        << bad;
}

TEST(LowerCopyOwners, HalvesThatAreLeftOutAreRoots) {
  EXPECT_EQ(copy_of("FROM alpine\nCOPY --chown=:5 a /b\n").owner, (Owner{"0", "5"}));
  EXPECT_EQ(copy_of("FROM alpine\nCOPY --chown=5: a /b\n").owner, (Owner{"5", "0"}));
  EXPECT_EQ(copy_of("FROM alpine\nCOPY --chown=5 a /b\n").owner, (Owner{"5", ""}));
  EXPECT_EQ(copy_of("FROM alpine\nCOPY --chown=$NO a /b\n").owner, std::nullopt) << "as without the flag";
}

TEST(LowerCopyWildcards, MayMatchNothing) {
  EXPECT_TRUE(copy_of("FROM alpine\nCOPY *.x /d/\n").allow_empty_wildcard);
}

}  // namespace
}  // namespace slipway::testing
