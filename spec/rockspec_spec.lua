--- What luarocks is told: the rockspecs agree with each other and with Cargo.toml, and by their
--- variables all of the library is installed. `make test-rocks` tries luarocks itself.

local shell = require "spec.support.shell"

teardown(shell.clean)

local function read(path)
	local file = assert(io.open(path))
	local text = file:read("*a")
	file:close()
	return text
end

--- What a rockspec sets.
local function rockspec(version)
	local set, path = {}, "rockspec/silly-cluster-" .. version .. ".rockspec"
	local chunk = assert(loadfile(path, "t", set))
	local setfenv = rawget(_G, "setfenv") -- 5.1 ignores the environment above
	if setfenv then
		setfenv(chunk, set)
	end
	chunk()
	return set
end

local cargo = read("Cargo.toml")
local version = cargo:match('\nversion = "(.-)"')

--- What a command prints; it must succeed.
local function output(command)
	local result = shell.command(("sh -c \"cd '%s' && %s\""):format(shell.root, command))
	assert.equal(0, result.status, result.out .. result.err)
	return result.out
end

--- The paths of the files in a directory, sorted.
local function files(directory)
	local paths = {}
	for path in output("cd '" .. directory .. "' && find . -type f | sort"):gmatch("[^\n]+") do
		paths[#paths + 1] = path
	end
	return paths
end

describe("the rockspec", function()
	it("of the release has the version of Cargo.toml, and the sources of its tag", function()
		local release = rockspec(version .. "-1")
		assert.equal(version .. "-1", release.version)
		assert.equal("v" .. version, release.source.tag)
		assert.equal("git+" .. cargo:match('\nrepository = "(.-)"') .. ".git", release.source.url)
	end)

	it("of the release is that for development, but for version and tag", function()
		local release, development = rockspec(version .. "-1"), rockspec("dev-1")
		assert.equal("dev-1", development.version)
		assert.is_nil(development.source.tag)
		development.version, development.source.tag = release.version, release.source.tag
		assert.same(development, release)
	end)

	it("installs every file of lua/, the library and the launcher, and make removes them", function()
		local top = shell.dir .. "/tree"
		local variables = { LUA = shell.lua, LUADIR = top .. "/lua", LIBDIR = top .. "/lib", BINDIR = top .. "/bin" }
		local build = rockspec("dev-1").build
		local assignments = {}
		for name, value in pairs(build.install_variables) do
			assignments[#assignments + 1] = ("%s='%s'"):format(name, value:gsub("%$%((%w+)%)", variables))
		end
		local make = "make -s %s " .. table.concat(assignments, " ")
		output(make:format(build.install_target or "install"))

		local expected = { ["./lib/silly/core.so"] = read("build/silly/core.so") }
		for _, path in ipairs(files(shell.root .. "/lua")) do
			local text = read("lua/" .. path)
			if path == "./silly/launcher.lua" then
				expected["./bin/silly"] = "#!" .. read("build/lua") .. text
			else
				expected["./lua/" .. path:sub(3)] = text
			end
		end
		for _, path in ipairs(files(top)) do
			assert.truthy(expected[path], path .. " is nothing of ours")
			assert.truthy(expected[path] == read(top .. "/" .. path), path .. " is not what it is here")
			expected[path] = nil
		end
		assert.is_nil((next(expected)))

		-- A stranger's file in a directory that is shared stays.
		shell.write("tree/lua/silly/other.lua", "")
		output(make:format("uninstall"))
		assert.same({ "./lua/silly/other.lua" }, files(top))
		assert.equal("./silly\n", output("cd '" .. top .. "/lua' && find . -mindepth 1 -type d"))
	end)

	it("is not given the library of another Lua", function()
		shell.write("other", ([[
#!/bin/sh
exec '%s' -e '_VERSION, jit = "Lua 9.9"' "$@"
]]):format(shell.lua))
		local result = shell.command((
			[[sh -c "chmod +x other && '%s/tools/install' '%s/other' '%s/lua' '%s/lib' '%s/bin'"]]
		):format(shell.root, shell.dir, shell.dir, shell.dir, shell.dir))
		assert.equal(1, result.status)
		assert.matches("^make: build/ is for [^\n]*: make build LUA=[^\n]*\n$", result.err)
	end)
end)
