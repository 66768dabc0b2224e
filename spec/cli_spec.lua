--- The launcher's dispatch: scripts, commands and their help.

local process = require "spec.support.shell"

teardown(process.clean)

local function silly(arguments, stdin)
	return process.command(process.launcher .. " " .. arguments, stdin)
end

describe("the launcher", function()
	local SCRIPT = "print(arg[0], table.concat(arg, ' ')) require('silly.time').sleep(1) print 'slept'"

	it("runs a script, with or without run", function()
		process.write("script.lua", SCRIPT)
		for _, how in ipairs { "script.lua a b", "run script.lua a b", "-l debug run script.lua a b" } do
			assert.same({ status = 0, out = "script.lua\ta b\nslept\n", err = "" }, silly(how))
		end
		assert.same({ status = 0, out = "-\ta --once\nslept\n", err = "" }, silly("run - a --once", SCRIPT))
	end)

	it("runs a script that is named like a command by its path", function()
		for _, name in ipairs { "run", "call", "bench", "top", "help" } do
			process.write(name, SCRIPT)
			assert.same({ status = 0, out = ("./%s\tx\nslept\n"):format(name), err = "" }, silly("./" .. name .. " x"))
			assert.same({ status = 0, out = ("%s\tx\nslept\n"):format(name), err = "" }, silly("run " .. name .. " x"))
		end
	end)

	it("ends with the status of a script that fails or exits, with or without run", function()
		process.write("script.lua", "error 'no'")
		assert.equal(1, silly("run script.lua").status)
		process.write("script.lua", "require('silly').exit(7)")
		assert.equal(7, silly("run script.lua").status)
		process.write("script.lua", "return 7") -- what a script returns is no status
		assert.equal(0, silly("run script.lua").status)
		local missing = silly("run missing.lua")
		assert.equal(1, missing.status)
		assert.matches("^silly: cannot open missing%.lua", missing.err)
	end)

	it("explains itself and each command", function()
		local all = silly("--help")
		assert.same({ 0, "" }, { all.status, all.err })
		assert.same(all, silly("help"))
		for _, name in ipairs { "run", "call", "bench", "top" } do
			assert.matches("\n  " .. name .. " ", all.out)
			local one = silly("help " .. name)
			assert.same({ 0, "" }, { one.status, one.err })
			assert.matches("^usage: silly " .. name .. " ", one.out)
			assert.same(one, silly(name .. " --help"))
		end
		assert.matches("^silly%-cluster %d+%.%d+%.%d+ %(", silly("--version").out)
	end)

	it("names itself as it was called where that is to be typed again", function()
		local called = ("'%s/bin/silly'"):format(process.root)
		local function says(wanted, arguments)
			local result = process.command(("%s %s"):format(called, arguments))
			assert.truthy((result.out .. result.err):find(wanted:gsub("SILLY", process.root .. "/bin/silly"), 1, true),
				result.out .. result.err)
		end
		says("usage: SILLY [options] script [arguments]\n       SILLY [options] COMMAND", "--help")
		says("usage: SILLY [options] script [arguments]\n", "--hepl")
		says("usage: SILLY call [options] HOST:PORT", "help call")
		says("usage: SILLY top [options] HOST:PORT", "top --help")
		says("as \"SILLY SCRIPT\" does", "run --help")
		says("silly call: which node? HOST:PORT is missing\n\"SILLY help call\" says more\n", "call")
	end)

	it("tells mistakes, with status 2", function()
		for arguments, reason in pairs {
			[""] = "silly: which script?", ["--hepl"] = "silly: unknown option --hepl",
			["help rum"] = "silly: there is no command rum", run = "silly run: which script?",
			["-l loud x.lua"] = "silly: -l must be followed by debug, info, warn or error",
		} do
			local result = silly(arguments)
			assert.same({ 2, "", reason }, { result.status, result.out, result.err:match("^[^\n]*") })
		end
	end)
end)
