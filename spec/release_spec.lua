--- tools/release, in a repository that holds only the files that name the version.

local shell = require "spec.support.shell"

local FILES = "tools/release Cargo.toml Cargo.lock fuzz/Cargo.lock CHANGELOG.md "
	.. "lua/silly/internal/scheduler.lua rockspec/silly-cluster-dev-1.rockspec"

--- Who commits there, whatever the settings of the machine.
local GIT = "GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1 GIT_AUTHOR_NAME=spec GIT_AUTHOR_EMAIL=spec@localhost "
	.. "GIT_COMMITTER_NAME=spec GIT_COMMITTER_EMAIL=spec@localhost"

--- A version that this checkout cannot have reached.
local NEXT = "999.0.1"

--- Runs a command of the shell in the repository.
local function run(command)
	return shell.command(("sh -c 'cd tree && %s'"):format(command), nil, GIT)
end

--- The same, which must succeed: what it printed, without the last newline.
local function output(command)
	local result = run(command)
	assert.same({ 0, "" }, { result.status, result.err })
	return (result.out:gsub("\n$", ""))
end

--- Demands that a release of a version is refused for a reason, and changes nothing.
local function refused(version, why)
	local before = output("git rev-parse HEAD; git status --porcelain")
	local result = run("tools/release " .. version)
	assert.equal(1, result.status)
	assert.truthy(result.err:find(why, 1, true), result.err)
	assert.equal(before, output("git rev-parse HEAD; git status --porcelain"))
end

--- Replaces a text that must be there in a file of the repository.
local function change(file, from, to)
	local path = "tree/" .. file
	local text = shell.read(path)
	local at, last = text:find(from, 1, true)
	assert.is_number(at, file .. " has no " .. from)
	shell.write(path, text:sub(1, at - 1) .. to .. text:sub(last + 1))
end

teardown(shell.clean)

describe("tools/release", function()
	local version = assert(io.open("Cargo.toml")):read("*a"):match('\nversion = "([%d.]+)"')

	before_each(function()
		shell.write("files", FILES:gsub(" ", "\n") .. "\n")
		local made = shell.command(("sh -c 'rm -rf tree && mkdir tree && cd %s && tar cf - -T - <%s/files | "
			.. "tar xf - -C %s/tree && cd %s/tree && git init -q && git add -A && git commit -q -m first'"):format(
			shell.root, shell.dir, shell.dir, shell.dir), nil, GIT)
		assert.same({ 0, "" }, { made.status, made.err })
		-- One section to be released, whatever stands there now.
		local text = shell.read("tree/CHANGELOG.md")
		text = text:gsub("\n## %[Unreleased%]", ""):gsub("%] %- Unreleased", "] - 2026-01-01")
		shell.write("tree/CHANGELOG.md", text)
		change("CHANGELOG.md", "\n## [", "\n## [Unreleased]\n\n- More.\n\n## [")
		output("git commit -q -a -m more")
	end)

	it("is content with the files as they are", function()
		assert.equal("", output("tools/release --check"))
	end)

	for file, line in pairs({
		["Cargo.lock"] = 'name = "silly-cluster"\nversion = "%s"',
		["fuzz/Cargo.lock"] = 'name = "silly-cluster"\nversion = "%s"',
		["lua/silly/internal/scheduler.lua"] = 'local VERSION = "%s"',
		["CHANGELOG.md"] = "## [%s] - ",
	}) do
		it("names " .. file .. " if that has another version", function()
			change(file, line:format(version), line:format(NEXT))
			local result = run("tools/release --check")
			assert.equal(1, result.status)
			assert.equal(
				("tools/release: not version %s, as in Cargo.toml:\n%s: %s\n"):format(version, file, NEXT), result.err)
			output("git commit -q -a -m another")
			refused(NEXT, file .. ": " .. NEXT)
		end)
	end

	it("sets a version everywhere and commits", function()
		local said = output("tools/release " .. NEXT)
		assert.truthy(said:find("git tag -a v" .. NEXT, 1, true), said)
		assert.equal("Release " .. NEXT, output("git log -1 --format=%s"))
		assert.equal("", output("git status --porcelain"))
		assert.equal("", output("tools/release --check"))
		local spec = "rockspec/silly-cluster-" .. NEXT .. "-1.rockspec"
		local named = {
			["Cargo.toml"] = '\nversion = "%s"\n',
			["Cargo.lock"] = '\nname = "silly-cluster"\nversion = "%s"\n',
			["fuzz/Cargo.lock"] = '\nname = "silly-cluster"\nversion = "%s"\n',
			["lua/silly/internal/scheduler.lua"] = '\nlocal VERSION = "%s"\n',
			["CHANGELOG.md"] = "\n## [%s] - 20",
			[spec] = '\nversion = "%s-1"\n',
		}
		for file, line in pairs(named) do
			assert.truthy(shell.read("tree/" .. file):find(line:format(NEXT), 1, true), file)
		end
		assert.truthy(shell.read("tree/" .. spec):find(('\n\ttag = "v%s",\n'):format(NEXT), 1, true))
		assert.truthy(shell.read("tree/CHANGELOG.md"):find(("\n[%s]: http"):format(NEXT), 1, true))
		local count = 0
		for file in output("git show --name-only --format="):gmatch("[^\n]+") do
			assert.is_string(named[file], file .. " has no business in a release")
			count = count + 1
		end
		assert.equal(6, count)
	end)

	it("takes a rockspec for a mistake that names or fetches another version", function()
		output("tools/release " .. NEXT)
		local spec = "rockspec/silly-cluster-" .. NEXT .. "-1.rockspec"
		change(spec, 'tag = "v' .. NEXT, 'tag = "v0.0.9')
		local result = run("tools/release --check")
		assert.equal(1, result.status)
		assert.truthy(result.err:find(spec .. ": " .. NEXT .. "-1 inside, v0.0.9 as its tag", 1, true), result.err)
	end)

	it("replaces the rockspec of the last release", function()
		output("tools/release " .. NEXT)
		change("CHANGELOG.md", "\n## [", "\n## [Unreleased]\n\n## [")
		output("git commit -q -a -m more && tools/release 999.1.0")
		assert.equal("silly-cluster-999.1.0-1.rockspec\nsilly-cluster-dev-1.rockspec", output("ls rockspec"))
	end)

	it("refuses what is no version, or an earlier one", function()
		for _, text in ipairs({ "1", "1.2", "1.2.3.4", "v1.2.3", "01.2.3", "1.2.3-rc1", "x" }) do
			refused(text, "a version is major.minor.patch")
		end
		refused("0.0.9", "0.0.9 comes before " .. version)
		refused("", "which version?")
		refused("--chek", "which version?")
	end)

	it("refuses a tree with changes, a tag that exists, and a changelog with nothing to say", function()
		shell.write("tree/new", "")
		refused(NEXT, "the tree is not clean")
		output("rm new && git tag v" .. NEXT)
		refused(NEXT, "the tag v" .. NEXT .. " exists already")
		output("git tag -d v" .. NEXT .. " >/dev/null")
		change("CHANGELOG.md", "## [Unreleased]", "## [" .. version .. "] - 2026-02-02")
		output("git commit -q -a -m said")
		refused(NEXT, "CHANGELOG.md has no section")
	end)
end)
