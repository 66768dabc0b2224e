--- The runner that takes busted's place on Lua 5.5: what it counts, and that it hides nothing.

local shell = require "spec.support.shell"

--- Whether busted itself runs this, and can say what it makes of the same file.
local HAS_BUSTED = package.loaded["busted.core"] ~= nil

local function summary_of(result)
	return result.out:match("\n(%d+ success.-) :")
end

--- Runs a spec file with the runner, and where that can be done with busted, which must count the same: the
--- summary without the time, the status and all that the runner has printed.
local function run(source, options)
	shell.write("tried_spec.lua", source)
	local function by(command)
		return shell.command(("sh -c \"cd '%s' && %s %s --output=plainTerminal '%s/tried_spec.lua'\""):format(
			shell.root, command, options or "", shell.dir))
	end
	local result = by(("'%s' tools/runner/run.lua"):format(shell.lua))
	local summary = summary_of(result)
	if HAS_BUSTED and summary then
		assert.equal(summary_of(by(("tools/busted '%s'"):format(shell.lua))), summary)
	end
	return summary, result.status, result.out .. result.err
end

describe("tools/runner", function()
	teardown(shell.clean)

	it("has status 0 when all tests pass, pending ones aside", function()
		local summary, status, printed = run [[
			describe("a spec", function()
				it("passes", function() assert.equal(1, 1) end)
				pending("comes later")
				it("cannot run here", function() pending("no such thing") end)
			end)
		]]
		assert.equal("1 success / 0 failures / 0 errors / 2 pending", summary)
		assert.equal(0, status)
		assert.matches("a spec cannot run here\nno such thing", printed, 1, true)
	end)

	it("tells failures from errors, goes on after both, and has status 1", function()
		local summary, status, printed = run [[
			describe("a spec", function()
				it("fails", function() assert.equal(1, 2) end)
				it("fails with luassert's own assert", function() assert(false, "no luck") end)
				it("errs", function() error("boom") end)
				it("passes", function() end)
			end)
		]]
		assert.equal("1 success / 2 failures / 1 error / 0 pending", summary)
		assert.equal(1, status)
		assert.matches("a spec fails\n", printed, 1, true)
		assert.matches("boom", printed, 1, true)
	end)

	for what, source in pairs({
		["in a file that does not compile"] = "this is no Lua",
		["in a file"] = "error 'boom'",
		["in a describe"] = "describe('a spec', function() error 'boom' end)",
		["in a setup"] = "describe('a spec', function() setup(function() error 'boom' end) it('is', function() end) end)",
		["in a teardown"] = "describe('a spec', function() teardown(function() error 'boom' end) end)",
		["in a before_each"] = "describe('a', function() before_each(error) it('is', function() end) end)",
		["in an after_each"] = "after_each(function() assert.is_nil(1) end) it('is', function() end)",
		["in a test that defines another"] = "it('a', function() it('b', function() end) end)",
		["in a finally"] = "it('a', function() finally(function() error 'boom' end) end)",
	}) do
		it("counts an error " .. what, function()
			local summary, status = run(source)
			assert.matches("0 failures / 1 error / 0 pending", summary, 1, true)
			assert.equal(1, status)
		end)
	end

	it("runs what is around a test from the outermost on, and back, whatever the test does", function()
		local _, _, printed = run [[
			local function say(word) return function() io.stderr:write(word, " ") end end
			setup(say "s1") teardown(say "t1") before_each(say "b1") after_each(say "a1")
			describe("a", function()
				setup(say "s2") teardown(say "t2") before_each(say "b2") after_each(say "a2")
				it("fails", function() finally(say "f") assert.is_true(false) end)
			end)
		]]
		assert.matches("s1 s2 b1 b2 f a2 a1 t2 t1 ", printed, 1, true)
	end)

	it("undoes what a file has done to the globals and the loaded modules", function()
		local summary = run [[
			it("changes", function() leaked, package.loaded.leaked = 1, 1 end)
		]]
		assert.matches("1 success", summary)
		shell.write("second_spec.lua", "it('sees nothing', function() assert.is_nil(leaked or package.loaded.leaked) end)")
		local result = shell.command(("sh -c \"cd '%s' && '%s' tools/runner/run.lua '%s' '%s'\""):format(
			shell.root, shell.lua, shell.dir .. "/tried_spec.lua", shell.dir .. "/second_spec.lua"))
		assert.matches("2 successes / 0 failures / 0 errors / 0 pending", result.out, 1, true)
	end)

	it("runs the tests that a filter names, and refuses what it does not know", function()
		local both = "it('one', function() end) it('two', function() error 'two' end)"
		assert.equal("1 success / 0 failures / 0 errors / 0 pending", (run(both, "--filter=one")))
		assert.equal("1 success / 0 failures / 0 errors / 0 pending", (run(both, "--filter-out=two")))
		local summary, status, printed = run(both, "--colour")
		assert.is_nil(summary)
		assert.equal(1, status)
		assert.matches("there is no option --colour", printed, 1, true)
	end)
end)
