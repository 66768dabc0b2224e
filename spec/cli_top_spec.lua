--- `silly top`, against nodes in other processes, also in a terminal.

local process = require "spec.support.shell"
local raw = require "spec.support.raw"

--- A node, with its status or without, that another one of its own process asks 7 all the time.
local SERVER = [[
local cluster, status = require "silly.net.cluster", require "silly.status"
local task, time = require "silly.task", require "silly.time"
local conf = {
	marshal = function(_, cmd, body) return body and cmd, body end,
	unmarshal = function(_, _, data) return data end,
	call = function(_, cmd, data) time.sleep(5) return cmd ~= 9 and data or nil end,
}
cluster.serve(WRAP)
local listener = assert(cluster.listen "127.0.0.1:0")
task.fork(function()
	local peer = cluster.connect(listener.addr)
	while assert(cluster.call(peer, 7, "x")) do end
end)
print(listener.addr)
]]

--- What is said about a node that gives no report.
local REMEDY = "For reports it must call cluster.serve(require \"silly.status\".wrap(conf)); --cmd names the command, "
	.. "if wrap was given another one\n"

describe("silly top", function()
	local children = {}

	local function serve(wrap)
		local child = process.start(SERVER:gsub("WRAP", wrap), { command = process.launcher, stderr = "/dev/null" })
		children[#children + 1] = child
		return child.read(), child
	end

	after_each(function()
		for _, child in ipairs(children) do
			child.kill("KILL")
			child.wait()
		end
		children = {}
	end)
	teardown(process.clean)

	local function top(arguments)
		return process.command(process.launcher .. " top " .. arguments)
	end

	it("shows one page with --once", function()
		local addr, child = serve("status.wrap(conf)")
		local result = top("--once --interval 200 " .. addr)
		assert.same({ 0, "" }, { result.status, result.err })
		local page = result.out
		assert.matches(("^%s   pid %d   up %%d+ s   silly%%-cluster %%d"):format(addr:gsub("%p", "%%%0"), child.pid), page)
		assert.matches("\nconnections in 2, out 1   listeners 1   ", page)
		-- Both ends are in this process. The handler takes 5 ms, so there are at most 200 in a second.
		local incoming, outgoing, total = page:match("\nrequests +([%d,]+) +([%d,]+) +([%d,]+)")
		assert.is_true(tonumber(incoming) >= 5 and tonumber(incoming) <= 210, page)
		assert.is_true(tonumber(outgoing) >= 5 and tonumber(outgoing) <= 210, page)
		assert.is_true(tonumber((total:gsub(",", ""))) > 1, page)
		local p50 = page:match("\n7 +[%d,]+ +[%d,]+ +([%d.]+) ms ")
		assert.is_true(tonumber(p50) >= 5, page)
		assert.matches("\n" .. addr:gsub("%p", "%%%0") .. " +out +0\n", page)
		assert.matches("\n127%.0%.0%.1:%d+ +in +[1-9]%d*\n", page)
	end)

	it("asks for the command that the node has chosen", function()
		local addr = serve("status.wrap(conf, 99)")
		assert.equal(0, top("--once --interval 50 --cmd 99 " .. addr).status)
		local unknown = top("--once --interval 50 --cmd 98 " .. addr)
		assert.same({ 1, "" }, { unknown.status, unknown.out })
		assert.matches("^silly top: the answer to command 0x62 is no status report%. ", unknown.err)
	end)

	it("says what a node must do that does not answer the command", function()
		local addr = serve("conf")
		assert.same({
			status = 1, out = "", err = "silly top: the answer to command 0x73746174 is no status report. " .. REMEDY,
		}, top("--once " .. addr))
		assert.same({
			status = 1, out = "", err = "silly top: timeout: the node is busy, or does not know command 0x9. " .. REMEDY,
		}, top("--once --timeout 50 --cmd 9 " .. addr))
		local dead = raw.dead_address()
		local refused = ("silly top: connect %s: Connection refused\n"):format(dead)
		assert.same({ status = 1, out = "", err = refused }, top(dead))
	end)

	it("lets page follow page where there is no terminal", function()
		local addr = serve("status.wrap(conf)")
		process.write("top", ("exec %s top --interval 50 %s"):format(process.launcher, addr))
		local result = process.command("sh -c 'sh top | head -n 40'")
		local _, pages = result.out:gsub("\nrequests ", "")
		assert.is_true(pages >= 2, result.out)
		assert.is_nil(result.out:find("\27", 1, true))
	end)

	it("writes over its page in a terminal, and leaves that as it was on Ctrl-C", function()
		local addr, child = serve("status.wrap(conf)")
		process.write("top", ("exec %s top --interval 50 %s"):format(process.launcher, addr))
		-- Types Ctrl-C once there were two pages and, the node being gone, the reason on the last one.
		process.write("type", ([[
			until [ "$(grep -ac '^requests' screen)" -ge 2 ]; do sleep 0.01; done
			kill -KILL %d
			until grep -aq 'no report' screen; do sleep 0.01; done
			printf '\003'
		]]):format(child.pid))
		process.write("screen", "")
		local result = process.command("sh -c 'sh type | script -qefc \"sh top\" /dev/null >screen'")
		assert.equal(130, result.status)
		local seen = process.read("screen")
		local enter, leave = "\27[?1049h\27[?25l\27[?7l", "\27[?7h\27[?25h\27[?1049l"
		assert.equal(enter, seen:sub(1, #enter))
		local from = assert(seen:find(leave, 1, true), seen)
		assert.is_nil(seen:find("\n", from, true))
		local _, pages = seen:gsub("\27%[H", "")
		assert.is_true(pages >= 3)
	end)
end)
