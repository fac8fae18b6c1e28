# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pocket forge: issues, pulls and git over HTTP as Gitea 1.26 answers them, from the standard library.

It stands in for Gitea in tests and sandboxes where no Gitea can be had, and for nothing else. It keeps
Gitea's surprises on purpose: what a client must survive there, it must survive here.
"""
