--- Where the log goes, and what happens when nobody takes it.

local logger = require "silly.logger"
local log = require "spec.support.log"
local process = require "spec.support.shell"

local HEAD = [[
local silly, task, time = require "silly", require "silly.task", require "silly.time"
local logger = require "silly.logger"
]]

--- Dates and trace ids aside, the lines of a text.
local function lines(text)
	local all = {}
	for line in text:gmatch("[^\n]+") do
		all[#all + 1] = line:gsub("^%S+ %S+ %x+ (%u) ", "%1 "):gsub("script%.lua:%d+ ", "")
	end
	return all
end

--- Starts a script whose stderr is a pipe; the child and the pipe's other end, from which nobody
--- has read yet.
local function piped(text, command)
	os.execute("mkfifo '" .. process.dir .. "/pipe'")
	-- One that blocks on the pipe could not end itself.
	local child = process.start(HEAD .. text, {
		command = "timeout -s KILL 20 " .. (command or process.lua),
		stderr = process.dir .. "/pipe",
	})
	return child, assert(io.open(process.dir .. "/pipe"))
end

after_each(function()
	os.remove(process.dir .. "/pipe")
	log.release()
end)

teardown(process.clean)

describe("logger.setoutput", function()
	it("appends to a file, made if missing", function()
		local path = process.dir .. "/new.log"
		assert.is_true(logger.setoutput(path))
		logger.info("one")
		assert.is_true(logger.setoutput("stderr"))
		assert.is_true(logger.setoutput(path))
		logger.info("two")
		assert.is_true(logger.setoutput("stderr"))
		assert.matches(" one\n.* two\n$", process.read("new.log"))
	end)

	it("says why a file cannot be had, and changes nothing then", function()
		log.capture()
		local function refusal(path)
			local ok, why = logger.setoutput(path)
			assert.is_nil(ok)
			return why
		end
		assert.equal("open /nowhere/at/all: No such file or directory", refusal("/nowhere/at/all"))
		assert.equal("open /: Is a directory", refusal("/"))
		assert.matches("^open a\0b: ", refusal("a\0b"))
		os.execute("mkfifo '" .. process.dir .. "/pipe'")
		assert.matches("^open .*/pipe: ", refusal(process.dir .. "/pipe")) -- nobody reads
		logger.info("still caught")
		assert.matches("still caught\n", log.text(), 1, true)
	end)

	it("raises for what is no name", function()
		local ok, why = pcall(logger.setoutput, 5)
		assert.is_false(ok)
		assert.matches("logger.setoutput: the output must be a string, got number 5", why, 1, true)
		assert.is_false((pcall(logger.setoutput)))
	end)

	it("keeps the order of what is logged and what is printed on stdout", function()
		local result = process.script(HEAD .. [[
			print "one"
			logger.setoutput "stdout"
			logger.info "two"
			io.write "three\n"
			logger.info "four"
		]])
		assert.equal("", result.err)
		assert.same({ "one", "I two", "three", "I four" }, lines(result.out))
	end)

	it("is the process's: another state writes to the same place", function()
		local host, problem = process.host()
		if not host then
			pending("no C host: " .. tostring(problem))
		end
		process.write("first.lua", HEAD .. "assert(logger.setoutput 'shared.log') logger.info 'of the first'")
		process.write("second.lua", HEAD .. "logger.info 'of the second'")
		local result = process.command(host .. " run first.lua second.lua")
		assert.same({ status = 0, out = "host: done\n", err = "" }, result)
		assert.matches("of the first\n.*of the second\n$", process.read("shared.log"))
	end)
end)

describe("logger.reopen", function()
	it("goes on in a new file after the old one was renamed", function()
		local path = process.dir .. "/app.log"
		assert(logger.setoutput(path))
		logger.info("one")
		assert(os.rename(path, path .. ".1"))
		logger.info("two")
		assert.is_true(logger.reopen())
		logger.info("three")
		assert(logger.setoutput("stderr"))
		assert.matches(" one\n.* two\n$", process.read("app.log.1"))
		assert.matches("^%S+ %S+ %S+ I %S+ three\n$", process.read("app.log"))
	end)

	it("keeps the old file where there can be no new one", function()
		os.execute("mkdir '" .. process.dir .. "/logs'")
		assert(logger.setoutput(process.dir .. "/logs/app.log"))
		os.execute(("mv '%s/logs' '%s/moved'"):format(process.dir, process.dir))
		local ok, why = logger.reopen()
		logger.info("still here")
		assert(logger.setoutput("stderr"))
		assert.is_nil(ok)
		assert.equal("reopen the log: No such file or directory", why)
		assert.matches("still here\n$", process.read("moved/app.log"))
	end)

	it("changes nothing for a standard stream", function()
		local result = process.script(HEAD .. "assert(logger.reopen()) logger.info 'x' logger.setoutput 'stdout' "
			.. "assert(logger.reopen()) logger.info 'y'")
		assert.same({ "I x" }, lines(result.err))
		assert.same({ "I y" }, lines(result.out))
	end)
end)

describe("a log that nobody takes", function()
	local FLOOD = [[
		local function flood()
			for number = 1, 30000 do logger.info(number, ("x"):rep(60)) end
		end
	]]

	it("holds nobody up, loses lines beyond a limit and says how many", function()
		local child, reader = piped(FLOOD .. [[
			flood()
			time.after(10, function() -- the loop goes on
				print(logger.dropped())
				io.stdout:flush()
				time.after(60000, print)
			end)
		]])
		local dropped = tonumber(child.read())
		assert.is_true(dropped > 1000 and dropped < 29000, dropped)
		-- Now somebody reads: the loop brings what was kept, and the count, without a further line.
		local last = 0
		repeat
			local line = lines(reader:read("*l"))[1]
			local number = tonumber(line:match("^I (%d+) x+$"))
			if number then
				assert.equal(last + 1, number)
				last = number
			end
		until not number and assert.equal(
			("W [silly] %d lines were dropped here: the log could not be written"):format(dropped), line
		)
		assert.equal(30000, last + dropped)
		reader:close()
		child.kill("TERM")
		child.wait()
	end)

	it("does not keep the process from ending", function()
		local child, reader = piped(FLOOD .. [[
			flood()
			task.fork(function() silly.exit(3) end)
		]])
		local result = child.wait()
		assert.equal("", result.out)
		if result.how then
			assert.same({ "exit", 3 }, { result.how, result.number }) -- not killed by its time limit
		end
		reader:close()
	end)

	it("gets its last lines when the loop ends while somebody reads", function()
		local child, reader = piped [[
			for number = 1, 1000 do logger.info(number, ("x"):rep(60)) end -- more than a pipe holds
		]]
		local all = lines(reader:read("*a"))
		assert.equal(1000, #all)
		assert.matches("^I 1000 x+$", all[1000])
		reader:close()
		child.wait()
	end)

	--- Reads what a host wrote while nobody did, all of it.
	local function takes_a_thousand(child, reader)
		assert.equal("true", child.read())
		local all = lines(reader:read("*a"))
		assert.equal(1000, #all)
		assert.equal("written\n", child.wait().out)
		reader:close()
	end

	it("is tried again by a host that waits by itself", function()
		local child, reader = piped [[
			local fd = assert(silly.fd())
			local subject = { getfd = function() return fd end, dirty = function() return false end }
			for number = 1, 1000 do logger.info(number, ("x"):rep(60)) end
			silly.step(0)
			print(silly.timeout() <= 50)
			io.stdout:flush()
			while silly.timeout() do
				assert(#require "socket".select({ subject }, nil, 10) > 0)
				silly.step(0)
			end
			print "written"
		]]
		takes_a_thousand(child, reader)
	end)

	it("is tried again though a host logs between two steps", function()
		local child, reader = piped [[
			local fd = assert(silly.fd())
			local subject = { getfd = function() return fd end, dirty = function() return false end }
			local function readable(seconds) return #require "socket".select({ subject }, nil, seconds) > 0 end
			while readable(0) do silly.step(0) end
			for number = 1, 1000 do logger.info(number, ("x"):rep(60)) end
			print(readable(10))
			io.stdout:flush()
			while silly.timeout() and readable(10) do silly.step(0) end
			print "written"
		]]
		takes_a_thousand(child, reader)
	end)

	it("sends no signal when the reader has gone, and tells the next output", function()
		local child, reader = piped [[
			logger.info "taken"
			print "ready"
			io.stdout:flush()
			task.fork(function()
				while logger.dropped() == 0 do logger.info "lost" time.sleep(1) end
				local dropped = logger.dropped()
				logger.setoutput "after.log"
				logger.info "found"
				print(dropped)
			end)
		]]
		assert.equal("ready", child.read())
		assert.same({ "I taken" }, lines(reader:read("*l")))
		reader:close()
		local result = child.wait()
		local dropped = tonumber(result.out)
		assert.is_true(dropped >= 1, result.out)
		if result.how then
			assert.same({ "exit", 0 }, { result.how, result.number })
		end
		local word = dropped == 1 and "line was" or "lines were"
		assert.same({
			("W [silly] %d %s dropped here: the log could not be written"):format(dropped, word),
			"I found",
		}, lines(process.read("after.log")))
	end)

	it("is no mistake where there is no standard error at all", function()
		process.write("script.lua", HEAD .. "logger.info 'x' print(logger.dropped())")
		local result = process.command(("sh -c '%s script.lua 2>&-'"):format(process.lua))
		assert.same({ status = 0, out = "1\n", err = "" }, result)
	end)
end)

describe("a forked child", function()
	local host, problem

	setup(function()
		host, problem = process.host()
	end)

	it("logs to where its parent does", function()
		if not host then
			pending("no C host: " .. tostring(problem))
		end
		process.write("forking.lua", HEAD .. [[
			logger.setoutput "forked.log"
			logger.info "before"
			local pid = fork()
			if pid == 0 then
				logger.info "child"
				leave(logger.dropped())
			end
			assert(waitpid(pid) == 0)
			logger.info "after"
		]])
		local result = process.command(host .. " run forking.lua")
		assert.same({ status = 0, out = "host: done\n", err = "" }, result)
		assert.matches("before\n.*child\n.*after\n$", process.read("forked.log"))
	end)

	it("leaves to its parent the lines that are kept", function()
		if not host then
			pending("no C host: " .. tostring(problem))
		end
		local child, reader = piped([[
			for number = 1, 1000 do logger.info(number, ("x"):rep(60)) end
			local pid = fork()
			if pid == 0 then
				logger.info "child"
				leave(0)
			end
			assert(waitpid(pid) == 0)
			print "forked"
			io.stdout:flush()
		]], host .. " run")
		assert.equal("forked", child.read())
		local all = lines(reader:read("*a"))
		assert.equal(1000, #all)
		for number, line in ipairs(all) do
			assert.equal(number, tonumber(line:match("^I (%d+) x+$")))
		end
		reader:close()
		child.wait()
	end)
end)

describe("a host without the libraries io and os", function()
	it("logs all the same", function()
		local result = process.script "io, os = nil, nil require 'silly.logger'.info('x')"
		assert.same({ "I x" }, lines(result.err))
		assert.matches("^%d%d%d%d%-%d%d%-%d%d %d%d:%d%d:%d%d ", result.err)
	end)
end)
